-- What the lines show: each series of each target in at most :buckets intervals of time, with the
-- last value of the interval, and the smallest and the largest so that no peak is lost.
with known as (
    select
        s.target_id,
        s.snapshot_at,
        v.series,
        v.value
    from mart.supply_and_holders s
    left join mart.concentration c using (snapshot_id)
    cross join lateral (
        values
            ('positions', s.positions::numeric),
            ('quantity', s.quantity),
            ('top_1_share', c.top_1_share),
            ('top_10_share', c.top_10_share),
            ('top_100_share', c.top_100_share),
            ('gini', c.gini),
            ('nakamoto', c.nakamoto::numeric)
    ) v (series, value)
    where s.target_id = any(:targets) and v.value is not null
),
span as (
    select
        target_id,
        extract(epoch from min(snapshot_at)) as first_at,
        extract(epoch from max(snapshot_at)) + 1 as last_at
    from mart.supply_and_holders
    where target_id = any(:targets)
    group by target_id
)
select
    k.target_id,
    k.series,
    max(k.snapshot_at) as at,
    (array_agg(k.value order by k.snapshot_at desc))[1] as value,
    min(k.value) as smallest,
    max(k.value) as largest
from known k
join span s using (target_id)
group by
    k.target_id,
    k.series,
    width_bucket(extract(epoch from k.snapshot_at), s.first_at, s.last_at, :buckets)
order by k.target_id, k.series, at;
