-- Who changed their name?
-- Names are chosen by the holders: they are no proof of who somebody is. Parameter: since.
-- With psql: -v since="'2026-10-01'"
select
    coalesce(t.label, t.target) as target,
    n.holder,
    n.name_before,
    n.name_after,
    n.changed_after,
    n.changed_until
from (
    select target_id, address as holder, name_before, name_after, changed_after, changed_until
    from altura_item_holders_changes
    where change not in ('entered', 'exited')
    union all
    select target_id, device_id, name_before, name_after, changed_after, changed_until
    from catenis_asset_holders_changes
    where change not in ('entered', 'exited')
) n
join mart.targets t using (target_id)
where n.name_before is distinct from n.name_after
    and n.changed_until > cast(:since as timestamptz)
order by n.changed_until, 1, n.holder;
