-- Which holder's collection grew most in a week?
-- Of the targets that are the holder themselves.
-- Parameters: until (the end of that time; 'infinity': now), days.
-- With psql: -v until="'infinity'" -v days=7
select
    coalesce(b.label, b.target) as target,
    a.rows as tokens_before,
    b.rows as tokens_after,
    b.rows - a.rows as grown,
    round(100.0 * (b.rows - a.rows) / nullif(a.rows, 0), 2) as percent,
    a.snapshot_at as snapshot_before,
    b.snapshot_at as snapshot_after
from mart.targets_as_of(least(cast(:until as timestamptz), now())) b
join mart.targets_as_of(
    least(cast(:until as timestamptz), now()) - make_interval(days => :days)
) a using (target_id)
where b.provider in (select provider from dataset where target_holds)
order by grown desc, 1;
