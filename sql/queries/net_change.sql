-- What is the net change between two moments?
-- What came and went in between is not in it. Nothing for targets that are younger than earlier.
-- Parameters: earlier, later, target (its name or label; null: all).
-- With psql: -v earlier="'2026-10-01'" -v later="'2026-11-01'" -v target=null
select
    coalesce(label, target) as target,
    kind,
    holder,
    asset,
    token,
    quantity_before,
    quantity_after,
    delta
from mart.changes_between(
    cast(:earlier as timestamptz),
    cast(:later as timestamptz),
    :target
)
order by 1, abs(delta) desc, kind, holder, asset, token;
