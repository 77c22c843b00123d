create or replace view mart.supply_and_holders as
select
    t.provider,
    s.target_id,
    t.name as target,
    t.label,
    s.snapshot_at,
    case
        when t.provider in (select d.provider from dataset d where d.target_holds)
            then least(s.rows, 1)
        else s.rows
    end as holders,
    s.rows as positions,
    coalesce(s.amount_sum, s.rows) as quantity,
    coalesce(s.amount_sum, s.rows) + coalesce(s.migrated_amount, 0) as supply,
    case when s.previous_id is not null then s.entered end as entered,
    case when s.previous_id is not null then s.exited end as exited,
    s.increased,
    s.decreased,
    s.reacquired,
    s.snapshot_id
from snapshot s
join target t using (target_id);

comment on view mart.supply_and_holders is 'How many hold, how much in all, and how many came and went, over time. One row for each snapshot; read from what was counted when it was published.';
comment on column mart.supply_and_holders.provider is {providers};
comment on column mart.supply_and_holders.target_id is 'The target.';
comment on column mart.supply_and_holders.target is 'Identity of the target: provider:subject?options.';
comment on column mart.supply_and_holders.label is 'Name given to the target by people; may be null.';
comment on column mart.supply_and_holders.snapshot_at is 'Earliest moment whose state it is.';
comment on column mart.supply_and_holders.holders is 'Holders that the provider lists; of a target that is the holder itself 1, or 0 where it holds nothing.';
comment on column mart.supply_and_holders.positions is 'Rows of the snapshot: holders, or tokens where these are what the target consists of.';
comment on column mart.supply_and_holders.quantity is 'Sum of what the holders hold; of tokens their number.';
comment on column mart.supply_and_holders.supply is 'quantity and what was moved to another blockchain and belongs to no holder, where the provider tells it.';
comment on column mart.supply_and_holders.entered is 'Rows that were not in the snapshot before; null in the first one, where that is not known.';
comment on column mart.supply_and_holders.exited is 'Rows of the snapshot before that are gone; null in the first one.';
comment on column mart.supply_and_holders.increased is 'Rows whose quantity grew.';
comment on column mart.supply_and_holders.decreased is 'Rows whose quantity shrank.';
comment on column mart.supply_and_holders.reacquired is 'Rows that left and came back in between.';
comment on column mart.supply_and_holders.snapshot_id is 'Number of the snapshot; the key.';
