create or replace view mart.transfers_seen as
select
    'hiro' as provider,
    m.from_target_id,
    m.from_target,
    m.from_holder,
    m.to_target_id,
    m.to_target,
    m.to_holder,
    m.asset,
    m.token,
    1::numeric as quantity,
    case when m.direct then greatest(m.left_after, m.came_after) else m.left_after end
        as happened_after,
    case when m.direct then least(m.left_until, m.came_until) else m.came_until end
        as happened_until,
    'token' as evidence,
    not m.direct as inferred,
    m.tx_id,
    m.from_snapshot_id,
    m.to_snapshot_id
from (
    -- Where the token was seen next, be it where it had left. Blocks tell what was first where the
    -- bounds of two snapshots overlap.
    select distinct on (x.target_id, x.snapshot_id, x.key_hash)
        x.target_id as from_target_id,
        x.target as from_target,
        xt.subject as from_holder,
        n.target_id as to_target_id,
        nt.name as to_target,
        nt.subject as to_holder,
        x.asset_identifier as asset,
        x.value_repr_before as token,
        x.changed_after as left_after,
        x.changed_until as left_until,
        n.changed_after as came_after,
        n.changed_until as came_until,
        coalesce(n.changed_after < x.changed_until, false) as direct,
        n.tx_id,
        x.snapshot_id as from_snapshot_id,
        n.snapshot_id as to_snapshot_id
    from hiro_nft_holdings_changes x
    join target xt on xt.target_id = x.target_id
    join (
        select target_id, snapshot_id, key_hash, changed_after, changed_until,
            tx_id_after as tx_id, block_height_after as block_height
        from hiro_nft_holdings_changes
        where change in ('entered', 'reacquired')
        union all
        -- What a target had in its first snapshot came before, nobody knows when.
        select s.target_id, s.snapshot_id, v.key_hash, null, s.snapshot_until,
            v.tx_id, v.block_height
        from snapshot s
        join hiro_nft_holdings v
            on v.target_id = s.target_id and v.valid_from = s.snapshot_at
        where s.previous_id is null
    ) n
        on n.key_hash = x.key_hash
        and n.changed_until > x.changed_after
        and n.block_height >= x.block_height_before
        and n.tx_id <> x.tx_id_before
        and (n.target_id <> x.target_id or n.snapshot_id > x.snapshot_id)
    join target nt on nt.target_id = n.target_id
    where x.change = 'exited'
    order by
        x.target_id,
        x.snapshot_id,
        x.key_hash,
        n.block_height,
        n.changed_until,
        n.snapshot_id
) m
where m.to_holder <> m.from_holder
union all
-- Only where no other pair fits: one holder lost just what one other gained.
select
    c.provider,
    c.target_id,
    c.target,
    min(c.holder) filter (where c.delta < 0),
    c.target_id,
    c.target,
    min(c.holder) filter (where c.delta > 0),
    c.asset,
    c.token,
    abs(c.delta),
    c.changed_after,
    c.changed_until,
    'amount',
    true,
    null,
    c.snapshot_id,
    c.snapshot_id
from mart.changes c
where c.provider in ('altura', 'catenis') and c.delta <> 0
group by
    c.provider,
    c.target_id,
    c.target,
    c.asset,
    c.token,
    abs(c.delta),
    c.changed_after,
    c.changed_until,
    c.snapshot_id
having count(*) filter (where c.delta < 0) = 1 and count(*) filter (where c.delta > 0) = 1;

comment on view mart.transfers_seen is 'What went from one holder to another, as far as snapshots show it. Hiro: a token left one watched principal and was next seen at another. Altura and Catenis: between two snapshots one holder lost just what one other gained, and nobody else lost or gained that much. One row for each time that a target saw something leave.';
comment on column mart.transfers_seen.provider is 'altura, hiro or catenis.';
comment on column mart.transfers_seen.from_target_id is 'The target that saw it leave.';
comment on column mart.transfers_seen.from_target is 'Identity of that target.';
comment on column mart.transfers_seen.from_holder is 'Who had it before.';
comment on column mart.transfers_seen.to_target_id is 'The target that saw it arrive: for Altura and Catenis the same one.';
comment on column mart.transfers_seen.to_target is 'Identity of that target.';
comment on column mart.transfers_seen.to_holder is 'Who had it afterwards.';
comment on column mart.transfers_seen.asset is 'Collection address, token class or Catenis asset.';
comment on column mart.transfers_seen.token is 'Token id or value within the asset; null for Catenis.';
comment on column mart.transfers_seen.quantity is 'How much went over; 1 for a non-fungible token.';
comment on column mart.transfers_seen.happened_after is 'It happened after this moment.';
comment on column mart.transfers_seen.happened_until is 'It happened not after this moment.';
comment on column mart.transfers_seen.evidence is 'token: the same token was seen there; amount: the same amount.';
comment on column mart.transfers_seen.inferred is 'True where others may have had a part: amounts may be equal by chance, and a token that arrived later than it left may have been somewhere else in between. False: both bounds allow for one transfer.';
comment on column mart.transfers_seen.tx_id is 'Hiro: the transaction by which the receiver got it; else null.';
comment on column mart.transfers_seen.from_snapshot_id is 'The snapshot that showed that it had left.';
comment on column mart.transfers_seen.to_snapshot_id is 'The snapshot that showed that it had arrived.';
