create or replace view mart.concentration as
select
    t.provider,
    s.target_id,
    t.name as target,
    t.label,
    s.snapshot_at,
    c.holders,
    s.amount_sum as quantity,
    c.top_1 / nullif(s.amount_sum, 0) as top_1_share,
    c.top_10 / nullif(s.amount_sum, 0) as top_10_share,
    c.top_100 / nullif(s.amount_sum, 0) as top_100_share,
    c.gini,
    c.herfindahl,
    c.nakamoto,
    s.snapshot_id
from snapshot_concentration c
join snapshot s using (snapshot_id)
join target t using (target_id);

comment on view mart.concentration is 'How unevenly an item or asset is spread over its holders, over time. One row for each snapshot whose rows have amounts, computed soon after it was published; a target that holds tokens is one holder and has none.';
comment on column mart.concentration.provider is {providers_with_amounts};
comment on column mart.concentration.target_id is 'The target.';
comment on column mart.concentration.target is 'Identity of the target: provider:subject?options.';
comment on column mart.concentration.label is 'Name given to the target by people; may be null.';
comment on column mart.concentration.snapshot_at is 'Earliest moment whose state it is.';
comment on column mart.concentration.holders is 'Holders with more than nothing.';
comment on column mart.concentration.quantity is 'Sum of what they hold.';
comment on column mart.concentration.top_1_share is 'Share of the largest holder, 0 to 1; null where nothing is held.';
comment on column mart.concentration.top_10_share is 'Share of the ten largest holders together.';
comment on column mart.concentration.top_100_share is 'Share of the hundred largest holders together.';
comment on column mart.concentration.gini is 'Gini coefficient over the holders: 0 all hold the same, towards 1 one holds all.';
comment on column mart.concentration.herfindahl is 'Herfindahl-Hirschman index: sum of the squared shares, 1 when one holds all.';
comment on column mart.concentration.nakamoto is 'Nakamoto coefficient: fewest holders who together hold more than half.';
comment on column mart.concentration.snapshot_id is 'Number of the snapshot; the key.';
