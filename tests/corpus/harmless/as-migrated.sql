-- verdict: yes
SELECT 1;
