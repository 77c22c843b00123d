-- What the bars show: rows that came and went, in intervals of the smallest width that needs at most
-- :bars of them. Weeks begin on Monday, days at midnight UTC.
with span as (
    select target_id, max(snapshot_at) - min(snapshot_at) as length
    from mart.supply_and_holders
    where target_id = any(:targets)
    group by target_id
),
chosen as (
    select s.target_id, coalesce(min(w.width), interval '28 days') as width
    from span s
    left join unnest(
        array[
            interval '1 minute',
            interval '5 minutes',
            interval '15 minutes',
            interval '1 hour',
            interval '6 hours',
            interval '1 day',
            interval '7 days',
            interval '28 days'
        ]
    ) w (width) on s.length <= w.width * :bars
    group by s.target_id
)
select
    s.target_id,
    c.width,
    date_bin(c.width, s.snapshot_at, timestamptz '2001-01-01 00:00+00') as begins,
    sum(s.entered) as entered,
    sum(s.exited) as exited
from mart.supply_and_holders s
join chosen c using (target_id)
where s.entered is not null
group by s.target_id, c.width, begins
order by s.target_id, begins;
