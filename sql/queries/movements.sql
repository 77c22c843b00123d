-- Who entered and who left, the latest of each target and kind?
-- Parameter: each (how many of them).
-- With psql: -v each=3
select seen_at, target, change, what, amount
from (
    select
        c.changed_until as seen_at,
        coalesce(c.label, c.target) as target,
        c.kind as change,
        case
            when d.target_holds then regexp_replace(c.asset, '^.*::', '') || ' ' || left(c.token, 24)
            else c.holder
        end as what,
        coalesce(c.quantity_after, c.quantity_before) as amount,
        row_number() over (
            partition by c.target_id, c.kind
            order by c.changed_until desc, c.holder, c.asset, c.token
        ) as place
    from mart.changes c
    join dataset d using (provider)
    where c.kind in ('entered', 'exited', 'reacquired')
) latest
where place <= :each
order by target, change, place;
