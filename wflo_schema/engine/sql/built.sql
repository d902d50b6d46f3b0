-- one row: the text that code is about to run ({text} is its expression), or an error that names what leaves the server
SELECT CASE
    -- a fast look for the words of all that is found below
    WHEN wflo_schema_0.said OPERATOR(pg_catalog.!~*) '{words}' THEN wflo_schema_0.said
    ELSE (
        SELECT CASE
            WHEN wflo_schema_4.found IS NULL THEN wflo_schema_0.said
            ELSE {refuse}
        END
        FROM (
            SELECT CASE
                -- texts are code here, so a statement may begin anywhere
                WHEN wflo_schema_3.is_code
                    AND wflo_schema_3.plain ~ '(?:^|[;''$]|\y(?:begin|then|else|loop))\s*copy\y[^;]*\y(?:(?:to|from)\s+program\y|to\s+(?:e|u&)?[''$])'
                    THEN 'copy'
                WHEN wflo_schema_3.plain ~ '(?:^|;)\s*copy\y[^;]*\y(?:(?:to|from)\s+program\y|to\s+(?:e|u&)?[''$])' THEN 'copy'
                WHEN wflo_schema_3.plain ~ '\yforeign\s+table\y[^;]*[(,]\s*(?:add\s+|set\s+)?"?program"?\s+(?:e|u&)?'''
                    THEN 'program'
                WHEN wflo_schema_3.plain ~ '^\s*do\y' AND wflo_schema_3.plain ~ '{untrusted}' THEN 'untrusted'
                -- nobody escapes an ordinary letter but to hide it
                WHEN wflo_schema_3.plain ~ 'u&"[^"]*00[2-7][0-9a-f]' THEN 'escaped'
                WHEN wflo_schema_3.plain ~ '^\s*(?:insert|update|delete|merge|copy|select|with|truncate|table|call)\y'
                    AND wflo_schema_3.plain ~ '\y(?:{names})\y'
                    THEN pg_catalog.substring(wflo_schema_3.plain, '\y({names})\y')
                -- what stands before the columns of a table is no call, and what names a function does not run it
                ELSE pg_catalog.substring(
                    pg_catalog.regexp_replace(
                        pg_catalog.regexp_replace(
                            wflo_schema_3.plain,
                            '(^|;)\s*(?:drop|comment|grant|revoke|security|alter\s+(?!table|materialized))\y[^;]*', '\1', 'g'
                        ),
                        '\y(?:into|table|exists|references|on)\s+(?:[\w"]+\.)*[\w"]+\s*\(', '(', 'g'
                    ),
                    '\y({leaves}|{names})"?\s*\('
                )
            END AS found
            FROM (
                SELECT
                    wflo_schema_2.is_code,
                    CASE
                        -- 'co' || 'py' is one word; what stands in dollars may be code, too
                        WHEN wflo_schema_2.is_code THEN pg_catalog.regexp_replace(
                            pg_catalog.regexp_replace(wflo_schema_2.bare, '''+\s*\|\|\s*(?:e|u&)?''+', '', 'g'), '''+', '''', 'g'
                        )
                        ELSE pg_catalog.regexp_replace(wflo_schema_2.bare, '''(?:[^'']|'''')*''', '''''', 'g')
                    END AS plain
                FROM (
                    SELECT
                        wflo_schema_1.bare,
                        wflo_schema_1.bare ~ '^\s*(?:do|create\s+(?:or\s+replace\s+)?(?:function|procedure))\y|\y(?:query_to_xml\w*|ts_stat|crosstab\w*)\y|\$\w*\$'
                            AS is_code
                    FROM (
                        -- without comments, and without the looks that a text may have from the function it was made of
                        SELECT pg_catalog.regexp_replace(
                            pg_catalog.regexp_replace(pg_catalog.lower(wflo_schema_0.said), '{marked}', '', 'g'),
                            '(''(?:[^'']|'''')*''|"[^"]*")|--[^\n]*|/\*(?:[^*]|\*+[^*/])*\*+/', '\1 ', 'g'
                        ) AS bare
                        OFFSET 0
                    ) AS wflo_schema_1
                ) AS wflo_schema_2
            ) AS wflo_schema_3
            OFFSET 0
        ) AS wflo_schema_4
    )
END
FROM (
    SELECT (wflo_schema_text.said)::pg_catalog.text COLLATE pg_catalog."default" AS said
    FROM (SELECT {text}) AS wflo_schema_text(said)
    OFFSET 0
) AS wflo_schema_0
