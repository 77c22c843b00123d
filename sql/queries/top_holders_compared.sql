-- Who are the ten largest holders now, and who were they then?
-- Whoever is or was among them; without a place: held nothing.
-- Parameters: moment, target (its name or label; null: each), how_many.
-- With psql: -v moment="'2026-10-01'" -v target=null -v how_many=10
select
    coalesce(n.label, o.label, n.target, o.target) as target,
    coalesce(n.holder, o.holder) as holder,
    coalesce(n.asset, o.asset) as asset,
    n.rank as place_now,
    o.rank as place_then,
    n.quantity as quantity_now,
    o.quantity as quantity_then
from (
    select *
    from mart.holders_now
    where cast(:target as text) is null or :target in (target, label)
) n
full join mart.holders_as_of(cast(:moment as timestamptz), :target) o
    on o.target_id = n.target_id and o.holder = n.holder and o.asset = n.asset
where n.rank <= :how_many or o.rank <= :how_many
order by 1, n.rank, o.rank, 2, 3;
