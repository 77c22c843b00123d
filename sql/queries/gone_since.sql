-- Who held some at that moment and holds nothing now?
-- Parameters: moment, target (its name or label; null: all).
-- With psql: -v moment="'2026-10-01'" -v target=null
select
    coalesce(label, target) as target,
    holder,
    asset,
    token,
    quantity_before as held_then,
    changed_after as snapshot_then
from mart.changes_between(cast(:moment as timestamptz), 'infinity', :target)
where kind = 'exited'
order by 1, quantity_before desc, holder, asset, token;
