-- What were the biggest changes of that time?
-- By their share of all that the target's holders held then, before or after, whichever was more.
-- Parameters: since, until, target (its name or label; null: all), limit.
-- With psql: -v since="'2026-10-01'" -v until="'infinity'" -v target=null -v limit=20
select
    coalesce(c.label, c.target) as target,
    c.kind,
    c.holder,
    c.asset,
    c.token,
    c.delta,
    round(100 * abs(c.delta) / nullif(s.quantity, 0), 2) as percent_of_all,
    c.changed_after,
    c.changed_until
from mart.changes c
join (
    select
        snapshot_id,
        greatest(quantity, lag(quantity) over (partition by target_id order by snapshot_at))
            as quantity
    from mart.snapshots
) s using (snapshot_id)
where c.delta <> 0
    and c.changed_until > cast(:since as timestamptz)
    and c.changed_until <= cast(:until as timestamptz)
    and (cast(:target as text) is null or :target in (c.target, c.label))
order by percent_of_all desc, c.changed_until desc, 1, c.holder, c.asset, c.token
limit :limit;
