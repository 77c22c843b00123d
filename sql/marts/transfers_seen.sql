create or replace view mart.transfers_seen as
select
    m.provider,
    m.from_target_id,
    m.from_target,
    m.from_holder,
    m.to_target_id,
    m.to_target,
    m.to_holder,
    m.asset,
    m.token,
    m.quantity,
    case when m.direct then greatest(m.left_after, m.came_after) else m.left_after end
        as happened_after,
    case when m.direct then least(m.left_until, m.came_until) else m.came_until end
        as happened_until,
    'token' as evidence,
    not m.direct as inferred,
    m.acquisition as tx_id,
    m.from_snapshot_id,
    m.to_snapshot_id
from (
    -- Where the token was seen next, be it where it had left. Blocks tell what was first where the
    -- bounds of two snapshots overlap.
    select distinct on (x.target_id, x.snapshot_id, x.key_hash)
        x.provider,
        x.target_id as from_target_id,
        x.target as from_target,
        x.holder as from_holder,
        n.target_id as to_target_id,
        n.target as to_target,
        n.holder as to_holder,
        x.asset,
        x.token,
        x.quantity_before as quantity,
        x.changed_after as left_after,
        x.changed_until as left_until,
        n.changed_after as came_after,
        n.changed_until as came_until,
        coalesce(n.changed_after < x.changed_until, false) as direct,
        n.acquisition,
        x.snapshot_id as from_snapshot_id,
        n.snapshot_id as to_snapshot_id
    from holding_changes x
    join (
        select
            provider, target_id, target, holder, snapshot_id, key_hash, changed_after,
            changed_until, acquisition_after as acquisition, height_after as height
        from holding_changes
        where target_holds and change in ('entered', 'reacquired')
        union all
        -- What a target had in its first snapshot came before, nobody knows when.
        select
            t.provider, t.target_id, t.target, t.holder, s.snapshot_id, h.key_hash, null,
            s.snapshot_until, h.acquisition, h.height
        from holding_target t
        join snapshot s on s.target_id = t.target_id and s.previous_id is null
        cross join lateral (
            select h.key_hash, h.acquisition, h.height
            from holding_rows_current h
            where
                h.provider = t.provider
                and h.target_id = t.target_id
                and h.valid_from = s.snapshot_at
            union all
            select h.key_hash, h.acquisition, h.height
            from holding_rows_history h
            where
                h.provider = t.provider
                and h.target_id = t.target_id
                and h.valid_from = s.snapshot_at
        ) h
        where t.holds
    ) n
        on n.provider = x.provider
        and n.key_hash = x.key_hash
        and n.changed_until > x.changed_after
        and n.height >= x.height_before
        and n.acquisition <> x.acquisition_before
        and (n.target_id <> x.target_id or n.snapshot_id > x.snapshot_id)
    where x.target_holds and x.change = 'exited'
    order by
        x.target_id,
        x.snapshot_id,
        x.key_hash,
        n.height,
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
where
    c.provider in (select d.provider from dataset d where d.has_amounts)
    and c.delta <> 0
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

comment on view mart.transfers_seen is 'What went from one holder to another, as far as snapshots show it. A token left one watched holder and was next seen at another; or, where rows have amounts, between two snapshots one holder lost just what one other gained, and nobody else lost or gained that much. One row for each time that a target saw something leave.';
comment on column mart.transfers_seen.provider is {providers};
comment on column mart.transfers_seen.from_target_id is 'The target that saw it leave.';
comment on column mart.transfers_seen.from_target is 'Identity of that target.';
comment on column mart.transfers_seen.from_holder is 'Who had it before.';
comment on column mart.transfers_seen.to_target_id is 'The target that saw it arrive: where rows have amounts the same one.';
comment on column mart.transfers_seen.to_target is 'Identity of that target.';
comment on column mart.transfers_seen.to_holder is 'Who had it afterwards.';
comment on column mart.transfers_seen.asset is {assets};
comment on column mart.transfers_seen.token is {tokens};
comment on column mart.transfers_seen.quantity is 'How much went over; 1 for a non-fungible token.';
comment on column mart.transfers_seen.happened_after is 'It happened after this moment.';
comment on column mart.transfers_seen.happened_until is 'It happened not after this moment.';
comment on column mart.transfers_seen.evidence is 'token: the same token was seen there; amount: the same amount.';
comment on column mart.transfers_seen.inferred is 'True where others may have had a part: amounts may be equal by chance, and a token that arrived later than it left may have been somewhere else in between. False: both bounds allow for one transfer.';
comment on column mart.transfers_seen.tx_id is 'The transaction by which the receiver got it, where evidence is token; else null.';
comment on column mart.transfers_seen.from_snapshot_id is 'The snapshot that showed that it had left.';
comment on column mart.transfers_seen.to_snapshot_id is 'The snapshot that showed that it had arrived.';
