-- How unevenly is it held, month by month?
-- As of the last snapshot of each month (UTC). nakamoto: so few hold more than half.
-- Parameter: target (its name or label; null: each).
-- With psql: -v target=null
select distinct on (target, month)
    coalesce(label, target) as target,
    cast(date_trunc('month', snapshot_at at time zone 'UTC') as date) as month,
    holders,
    round(100 * top_1_share, 2) as percent_of_top_1,
    round(100 * top_10_share, 2) as percent_of_top_10,
    round(100 * top_100_share, 2) as percent_of_top_100,
    round(gini, 4) as gini,
    round(herfindahl, 4) as herfindahl,
    nakamoto,
    snapshot_at
from mart.concentration
where cast(:target as text) is null or :target in (target, label)
order by target, month, snapshot_at desc;
