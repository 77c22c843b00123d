-- Which tokens moved from one watched principal to another?
-- direct: the bounds allow for one transfer; else it was somewhere else in between.
-- Parameter: since.
-- With psql: -v since="'2026-10-01'"
select
    x.asset,
    x.token,
    coalesce(f.label, f.target) as from_target,
    coalesce(t.label, t.target) as to_target,
    x.happened_after,
    x.happened_until,
    not x.inferred as direct,
    x.tx_id
from mart.transfers_seen x
join mart.targets f on f.target_id = x.from_target_id
join mart.targets t on t.target_id = x.to_target_id
where x.evidence = 'token' and x.happened_until > cast(:since as timestamptz)
order by x.happened_until, x.asset, x.token;
