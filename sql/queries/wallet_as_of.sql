-- What did this wallet, principal or device hold at that moment?
-- In every target that was watched and had a snapshot by then. Parameters: holder, moment.
-- With psql: -v holder="'0x00000000000000000000000000000000000000aa'" -v moment="'2026-10-01'"
select
    coalesce(label, target) as target,
    asset,
    token,
    quantity,
    held_since,
    unchanged_since
from (
    select distinct on (h.target_id, h.key_hash)
        h.provider,
        h.label,
        h.target,
        h.asset,
        h.token,
        h.kind,
        h.quantity_after as quantity,
        h.held_since,
        s.snapshot_at as unchanged_since
    from mart.holder_history(:holder) h
    join mart.snapshots s using (snapshot_id)
    join mart.targets t on t.target_id = h.target_id
    where s.snapshot_at <= cast(:moment as timestamptz)
        and (t.retired_at is null or t.retired_at > cast(:moment as timestamptz))
    order by h.target_id, h.key_hash, s.snapshot_at desc
) last
where kind <> 'exited'
order by provider, 1, asset, token;
