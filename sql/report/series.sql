-- What the lines show: each series of each target in at most :buckets intervals of time, with the
-- last value of the interval, and the smallest and the largest so that no peak is lost.
with span as (
    select
        target_id,
        extract(epoch from min(snapshot_at)) as first_at,
        extract(epoch from max(snapshot_at)) + 1 as last_at
    from mart.supply_and_holders
    where target_id = any(:targets)
    group by target_id
),
known as materialized (
    select
        s.target_id,
        s.snapshot_at,
        width_bucket(
            extract(epoch from s.snapshot_at), span.first_at, span.last_at, :buckets
        ) as bucket,
        s.positions::numeric,
        s.quantity,
        c.top_1_share,
        c.top_10_share,
        c.top_100_share,
        c.gini,
        c.nakamoto::numeric
    from mart.supply_and_holders s
    join span using (target_id)
    left join mart.concentration c using (snapshot_id)
),
thinned as (
    select
        target_id,
        max(snapshot_at) as snapshot_at,
        min(positions) as least_positions,
        max(positions) as most_positions,
        min(quantity) as least_quantity,
        max(quantity) as most_quantity,
        min(top_1_share) as least_top_1_share,
        max(top_1_share) as most_top_1_share,
        min(top_10_share) as least_top_10_share,
        max(top_10_share) as most_top_10_share,
        min(top_100_share) as least_top_100_share,
        max(top_100_share) as most_top_100_share,
        min(gini) as least_gini,
        max(gini) as most_gini,
        min(nakamoto) as least_nakamoto,
        max(nakamoto) as most_nakamoto
    from known
    group by target_id, bucket
)
select
    k.target_id,
    v.series,
    k.snapshot_at as at,
    v.value,
    v.smallest,
    v.largest
from thinned t
join known k using (target_id, snapshot_at)
cross join lateral (
    values
        ('positions', k.positions, t.least_positions, t.most_positions),
        ('quantity', k.quantity, t.least_quantity, t.most_quantity),
        ('top_1_share', k.top_1_share, t.least_top_1_share, t.most_top_1_share),
        ('top_10_share', k.top_10_share, t.least_top_10_share, t.most_top_10_share),
        ('top_100_share', k.top_100_share, t.least_top_100_share, t.most_top_100_share),
        ('gini', k.gini, t.least_gini, t.most_gini),
        ('nakamoto', k.nakamoto, t.least_nakamoto, t.most_nakamoto)
) v (series, value, smallest, largest)
where v.value is not null
order by k.target_id, v.series, k.snapshot_at;
