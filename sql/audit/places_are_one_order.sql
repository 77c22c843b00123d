-- Every row that holds now has a place of its own in its list, none above the highest that its last snapshot knows.
-- Means: what rests on the order of the rows (chained_to_last) may find nothing, or take a row for another.
-- Do: set top_place of the target's last snapshot to null: the next snapshot then reads all and orders the rows anew.
with last as (
    select distinct on (s.target_id)
        s.target_id, s.top_place
    from snapshot s
    join target t using (target_id)
    where t.provider = {provider}
    order by s.target_id, s.snapshot_at desc
),
placed as (
    select target_id, key_hash, {place} as place, top_place
    from {current}
    join last using (target_id)
    where top_place is not null
)
select
    target_id,
    key_hash,
    case
        when place is null then 'it has no place'
        else format('its place is %s, from 1 to %s there are', place, top_place)
    end as found
from placed
where place is null or place < 1 or place > top_place
union all
select
    target_id,
    null::uuid,
    format('%s rows have the place %s', count(*), place)
from placed
where place is not null
group by target_id, place
having count(*) > 1
