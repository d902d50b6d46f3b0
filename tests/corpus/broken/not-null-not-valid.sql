-- verdict: no
-- from: 18
-- codes: column-wrong
-- contract: [contract]
-- contract: tables = ["parent"]
-- contract: [columns.parent]
-- contract: note = "text not null"
CREATE TABLE parent (id int PRIMARY KEY, note text);
ALTER TABLE parent ADD CONSTRAINT parent_note NOT NULL note NOT VALID;
