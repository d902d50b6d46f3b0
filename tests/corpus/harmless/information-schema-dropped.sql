-- verdict: yes
DROP SCHEMA information_schema CASCADE;
