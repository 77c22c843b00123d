-- How unevenly the amount of a snapshot is spread over its holders, kept in snapshot_concentration.
--
-- The snapshots before it are followed for as long as no quantity changed: all of them have the same
-- figures. Where one of these has its row already it is copied, else the figures are computed, once,
-- from the rows that held at its moment. What somebody else adds meanwhile is left as it is.
--
-- The moment is asked for in two ways: of a target's history little held until after a late moment,
-- which the order by valid_to finds, and of all history little held at an early one, which the ranges
-- find. The planner knows the values and takes the better.
--
-- With the amounts in descending order as x_1 … x_n and their sum S, the Gini coefficient is
-- ((n + 1) * S - 2 * sum(d * x_d)) / (n * S): the usual formula, turned round, so that the one sort
-- serves the largest, too. All sums are exact; only the two coefficients are rounded, to 16 decimals,
-- as many as a division gives without fail.
with recursive alike as (
    select
        s.snapshot_id,
        s.previous_id,
        s.entered + s.exited + s.increased + s.decreased + s.reacquired = 0 as as_before,
        c.snapshot_id is not null as is_known
    from snapshot s
    left join snapshot_concentration c using (snapshot_id)
    where s.snapshot_id = %(snapshot_id)s
    union all
    select
        s.snapshot_id,
        s.previous_id,
        s.entered + s.exited + s.increased + s.decreased + s.reacquired = 0,
        c.snapshot_id is not null
    from alike a
    join snapshot s on s.snapshot_id = a.previous_id
    left join snapshot_concentration c on c.snapshot_id = s.snapshot_id
    where a.as_before and not a.is_known
),
holding as (
    select {amount} as amount
    from {current}
    where not exists (select from alike where is_known)
        and target_id = %(target_id)s
        and valid_from <= %(snapshot_at)s
        and {amount} > 0
    union all
    select {amount}
    from {history}
    where not exists (select from alike where is_known)
        and target_id = %(target_id)s
        and tstzrange(valid_from, valid_to) @> %(snapshot_at)s
        and valid_to > %(snapshot_at)s
        and {amount} > 0
),
ranked as materialized (
    select
        amount,
        row_number() over descending as place,
        sum(amount) over descending as running
    from holding
    window descending as (order by amount desc rows unbounded preceding)
),
summed as (
    select
        count(*) as holders,
        coalesce(sum(amount), 0) as total,
        coalesce(sum(amount) filter (where place <= 1), 0) as top_1,
        coalesce(sum(amount) filter (where place <= 10), 0) as top_10,
        coalesce(sum(amount) filter (where place <= 100), 0) as top_100,
        sum(place * amount) as by_place,
        sum(amount * amount) as squares
    from ranked
),
figures as (
    select
        s.holders,
        s.top_1,
        s.top_10,
        s.top_100,
        round(((s.holders + 1) * s.total - 2 * s.by_place) / (s.holders * s.total), 16) as gini,
        round(s.squares / (s.total * s.total), 16) as herfindahl,
        (select min(place) from ranked where 2 * running > s.total) as nakamoto
    from summed s
    where s.holders > 0
    union all
    select 0, 0, 0, 0, null, null, null
    from summed s
    where s.holders = 0
),
found as (
    select c.holders, c.top_1, c.top_10, c.top_100, c.gini, c.herfindahl, c.nakamoto
    from alike a
    join snapshot_concentration c using (snapshot_id)
    union all
    select f.holders, f.top_1, f.top_10, f.top_100, f.gini, f.herfindahl, f.nakamoto
    from figures f
    where not exists (select from alike where is_known)
)
insert into snapshot_concentration
    (snapshot_id, holders, top_1, top_10, top_100, gini, herfindahl, nakamoto)
select
    a.snapshot_id,
    f.holders,
    f.top_1,
    f.top_10,
    f.top_100,
    f.gini,
    f.herfindahl,
    f.nakamoto
from alike a
cross join found f
where not a.is_known
order by a.snapshot_id
on conflict (snapshot_id) do nothing
