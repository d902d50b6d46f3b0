-- verdict: no
-- codes: key-wrong-kind
-- from: 18
-- contract: [[foreign_key]]
-- contract: from = "booking(room, during)"
-- contract: to = "room(number, during)"
CREATE TABLE room (number int4range, during daterange, PRIMARY KEY (number, during WITHOUT OVERLAPS));
CREATE TABLE booking (room int4range, during daterange,
    FOREIGN KEY (room, PERIOD during) REFERENCES room (number, PERIOD during));
