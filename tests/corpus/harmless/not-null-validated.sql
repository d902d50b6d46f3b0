-- verdict: yes
-- from: 18
-- contract: [contract]
-- contract: tables = ["parent"]
-- contract: [columns.parent]
-- contract: note = "text not null"
CREATE TABLE parent (id int PRIMARY KEY, note text);
ALTER TABLE parent ADD CONSTRAINT parent_note NOT NULL note NOT VALID;
ALTER TABLE parent VALIDATE CONSTRAINT parent_note;
