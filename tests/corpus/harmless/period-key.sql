-- verdict: yes
-- from: 18
-- only: contract rows
-- contract: [[foreign_key]]
-- contract: from = "booking(room, PERIOD during)"
-- contract: to = "room(number, PERIOD during)"
CREATE TABLE room (number int4range, during daterange, PRIMARY KEY (number, during WITHOUT OVERLAPS));
CREATE TABLE booking (room int4range, during daterange,
    FOREIGN KEY (room, PERIOD during) REFERENCES room (number, PERIOD during));
INSERT INTO room VALUES ('[1,2)', '[2024-01-01,2024-02-01)'), ('[1,2)', '[2024-02-01,2024-03-01)');
INSERT INTO booking VALUES ('[1,2)', '[2024-01-15,2024-02-15)');
