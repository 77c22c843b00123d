-- What does a snapshot cost: requests, pages, seconds?
-- Parameter: since.
-- With psql: -v since="'2026-10-01'"
select
    coalesce(label, target) as target,
    count(*) as snapshots,
    round(avg(rows)) as rows,
    sum(requests) as requests,
    round(avg(requests), 1) as requests_each,
    round(avg(pages), 1) as pages_each,
    round(avg(walks), 2) as walks_each,
    round(avg(seconds), 1) as seconds_each,
    max(seconds) as seconds_at_most,
    sum(requests - pages) as requests_repeated
from mart.snapshots
where snapshot_at >= cast(:since as timestamptz)
group by target_id, target, label
order by requests desc, 1;
