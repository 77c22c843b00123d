-- Who entered and who left, the latest of each target and kind. Parameter: each (how many of them).
-- With psql: -v each=3
select seen_at, target, change, what, amount
from (
    select
        c.changed_until as seen_at,
        coalesce(t.label, t.name) as target,
        c.change,
        case c.provider
            when 'hiro' then split_part(c.asset, '::', 2) || ' ' || left(c.token, 24)
            else c.holder
        end as what,
        coalesce(c.amount_after, c.amount_before) as amount,
        row_number() over (
            partition by c.target_id, c.change
            order by c.changed_until desc, c.holder, c.asset, c.token
        ) as place
    from positions_changes c
    join target t using (target_id)
    where c.change in ('entered', 'exited', 'reacquired')
) latest
where place <= :each
order by target, change, place;
