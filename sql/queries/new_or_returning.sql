-- Are those who come new, or were they here before?
-- Without those who were there before we looked. Parameter: target (its name or label; null: each).
-- With psql: -v target=null
select
    coalesce(label, target) as target,
    cast(date_trunc('month', held_since at time zone 'UTC') as date) as month,
    count(*) filter (where visit = 1) as new,
    count(*) filter (where visit > 1) as returning
from (
    select
        *,
        row_number() over (partition by target_id, key_hash order by held_since) as visit
    from mart.stints
) s
where not at_least
    and (cast(:target as text) is null or :target in (target, label))
group by target_id, target, label, 2
order by 1, 2;
