-- What do providers say about the end of what is asked for, and since when?
-- The headers Warning, Deprecation and Sunset of their answers; the newest first.
select
    provider,
    header,
    text,
    first_seen_at,
    last_seen_at
from provider_notice
order by last_seen_at desc, provider, header, text;
