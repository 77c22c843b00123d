-- Every snapshot's rows and their sum are those that history and current give for its moment.
-- Means: a past snapshot can't be rebuilt as it was published: versions or its counts were altered.
-- Do: restore the target's rows from a backup that is older than the alteration and newer than that snapshot.
with moved as (
    select target_id, valid_from as moment, 1 as rows, {amount} as amount from {history}
    union all
    select target_id, valid_to, -1, -{amount} from {history}
    union all
    select target_id, valid_from, 1, {amount} from {current}
),
difference as (
    select target_id, moment, sum(rows) as rows, sum(amount) as amount
    from moved
    group by target_id, moment
),
rebuilt as (
    select
        s.target_id,
        s.snapshot_id,
        s.rows,
        s.amount_sum,
        sum(coalesce(d.rows, 0)) over so_far as rows_rebuilt,
        sum(coalesce(d.amount, {no_amount})) over so_far as amount_rebuilt
    from snapshot s
    join target t using (target_id)
    left join difference d on d.target_id = s.target_id and d.moment = s.snapshot_at
    where t.provider = {provider}
    window so_far as (partition by s.target_id order by s.snapshot_at)
)
select
    target_id,
    null::uuid as key_hash,
    format(
        'snapshot %s had %s rows with a sum of %s, rebuilt it has %s with %s',
        snapshot_id,
        rows,
        coalesce(amount_sum::text, 'nothing'),
        rows_rebuilt,
        coalesce(amount_rebuilt::text, 'nothing')
    ) as found
from rebuilt
where rows <> rows_rebuilt or amount_sum is distinct from amount_rebuilt
