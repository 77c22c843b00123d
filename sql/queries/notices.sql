-- What do providers say about the end of what is asked for, and since when?
-- The headers Warning, Deprecation and Sunset of their answers, the newest first. A row `api` names
-- the API that is asked in place of one that is gone; it was tried last at last_seen_at.
select
    provider,
    header,
    text,
    first_seen_at,
    last_seen_at
from provider_notice
union all
select
    provider,
    'api',
    api,
    since,
    tried_at
from provider_api
order by last_seen_at desc, provider, header, text;
