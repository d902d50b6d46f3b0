-- verdict: yes
-- codes: table-subscribed
INSERT INTO pg_subscription_rel (srsubid, srrelid, srsubstate) VALUES (1, 'step_executions'::regclass, 'r');
