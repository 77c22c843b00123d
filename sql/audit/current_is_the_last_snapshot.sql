-- The rows that hold now are as many, and sum up to as much, as the target's last snapshot had.
-- Means: "now" is not what the provider answered last; rows were lost, added or altered since.
-- Do: find out what wrote to the table beside Holdfast; the target's next snapshot takes the difference for changes.
with held as (
    select target_id, count(*) as rows, {amount_sum} as amount_sum
    from {current}
    group by target_id
),
last as (
    select distinct on (s.target_id)
        s.target_id, s.snapshot_id, s.rows, s.amount_sum
    from snapshot s
    join target t using (target_id)
    where t.provider = {provider}
    order by s.target_id, s.snapshot_at desc
)
select
    target_id,
    null::uuid as key_hash,
    case
        when last.snapshot_id is null then format('%s rows hold, and there is no snapshot', held.rows)
        else format(
            'snapshot %s has %s rows with a sum of %s, %s rows with a sum of %s hold',
            last.snapshot_id,
            last.rows,
            coalesce(last.amount_sum::text, 'nothing'),
            coalesce(held.rows, 0),
            coalesce(held.amount_sum::text, 'nothing')
        )
    end as found
from last
full join held using (target_id)
where last.rows is distinct from coalesce(held.rows, 0)
    or last.amount_sum is distinct from coalesce(held.amount_sum, {no_amount})
