-- Damage done to a good history, one a paragraph: the rule that has to find it, and what it is.
-- :unchecked drops every check, foreign key and unique constraint; :middle is a snapshot with one
-- before and one after it.

-- versions_do_not_overlap: a version that goes on after the next has begun
update catenis_asset_holders_history h
set valid_to = valid_to + interval '1 millisecond'
where exists (select from catenis_asset_holders_current c where c.target_id = h.target_id and
    c.key_hash = h.key_hash and c.valid_from = h.valid_to);

-- versions_do_not_overlap: a version that begins before the last one has ended
update altura_item_holders_current c
set valid_from = h.valid_from, held_since = h.held_since
from altura_item_holders_history h
where c.target_id = h.target_id
    and c.key_hash = h.key_hash;

-- held_since_is_continuous: a version in the middle is lost
delete from altura_item_holders_history h
where exists (select from altura_item_holders_current c where c.target_id = h.target_id and
    c.key_hash = h.key_hash and c.valid_from = h.valid_to);

-- held_since_is_continuous: held_since begins anew without a reason
update catenis_asset_holders_current
set held_since = valid_from
where held_since < valid_from;

-- held_since_is_continuous: held_since goes on over a token that was reacquired
update hiro_nft_holdings_current c
set held_since = h.held_since
from hiro_nft_holdings_history h
where c.target_id = h.target_id
    and c.key_hash = h.key_hash
    and c.tx_id <> h.tx_id
    and c.valid_from = h.valid_to
    and c.held_since <> h.held_since;

-- places_are_one_order: two rows have the same place
update hiro_nft_holdings_current c
set place = 1
where place = 2;

-- places_are_one_order: a row has lost its place
update hiro_nft_holdings_current
set place = null
where ctid in (select ctid from hiro_nft_holdings_current limit 1);

-- places_are_one_order: the highest place is forgotten
update snapshot s
set top_place = 1
where s.snapshot_id in (select max(snapshot_id) from snapshot where top_place > 1 group by target_id);

-- current_is_the_last_snapshot: a row that holds now is lost
delete from hiro_nft_holdings_current
where ctid in (select ctid from hiro_nft_holdings_current limit 1);

-- current_is_the_last_snapshot: a row of a retired target is lost
delete from altura_item_holders_current
where ctid in (select c.ctid from altura_item_holders_current c join target t using (target_id)
    where t.retired_at is not null limit 1);

-- current_is_the_last_snapshot: an amount that holds now is altered
update altura_item_holders_current
set balance = balance + 1
where ctid in (select ctid from altura_item_holders_current limit 1);

-- current_is_the_last_snapshot: all snapshots of a target are lost
:unchecked;
delete from snapshot
where target_id in (select min(target_id) from altura_item_holders_current);

-- changes_are_as_counted: a count of changes is altered
update snapshot s
set entered = entered + 1
:middle
where m.snapshot_id = s.snapshot_id;

-- changes_are_as_counted: one kind of change is counted as another
update snapshot
set increased = decreased, decreased = increased
where increased <> decreased;

-- changes_are_as_counted: a version that began and ended is lost
delete from catenis_asset_holders_history h
where held_since = valid_from
    and not exists (select from catenis_asset_holders_history n where n.target_id = h.target_id
        and n.key_hash = h.key_hash and n.valid_from = h.valid_to)
    and not exists (select from catenis_asset_holders_current c where c.target_id = h.target_id
        and c.key_hash = h.key_hash and c.valid_from = h.valid_to);

-- rows_are_as_counted: an amount of the past is altered
update catenis_asset_holders_history
set total = total + 1
where ctid in (select ctid from catenis_asset_holders_history limit 1);

-- rows_are_as_counted: the rows of a snapshot of the past are altered
update snapshot s
set rows = rows + 1
:middle
where m.snapshot_id = s.snapshot_id;

-- keys_are_unique: a row that holds now stands twice
alter table altura_item_holders_current drop constraint altura_item_holders_current_pkey;
insert into altura_item_holders_current select *
from altura_item_holders_current
limit 1;

-- keys_are_unique: a version of the past stands twice
alter table altura_item_holders_history drop constraint altura_item_holders_history_pkey;
insert into altura_item_holders_history select *
from altura_item_holders_history
limit 1;

-- versions_end_after_they_begin: a version ends before it began
:unchecked;
drop index hiro_nft_holdings_history_tstzrange_idx;
update hiro_nft_holdings_history
set valid_to = valid_from - interval '1 second'
where ctid in (select ctid from hiro_nft_holdings_history limit 1);

-- versions_end_after_they_begin: a version ends when it began
:unchecked;
update hiro_nft_holdings_history
set valid_to = valid_from
where ctid in (select ctid from hiro_nft_holdings_history limit 1);

-- versions_end_after_they_begin: a version is held since later than it began
:unchecked;
update hiro_nft_holdings_current
set held_since = valid_from + interval '1 second'
where ctid in (select ctid from hiro_nft_holdings_current limit 1);

-- versions_begin_and_end_with_snapshots: a version begins between two snapshots
update hiro_nft_holdings_current
set valid_from = valid_from + interval '1 microsecond'
where ctid in (select ctid from hiro_nft_holdings_current limit 1);

-- versions_begin_and_end_with_snapshots: a version ends between two snapshots
update altura_item_holders_history
set valid_to = valid_to - interval '1 microsecond'
where ctid in (select ctid from altura_item_holders_history limit 1);

-- versions_begin_and_end_with_snapshots: a version ends with a snapshot of another target
update altura_item_holders_history h
set valid_to = s.snapshot_at
from snapshot s
where s.target_id <> h.target_id
    and s.snapshot_at > h.valid_to;

-- key_hash_is_of_its_key: a key is altered
update hiro_nft_holdings_current
set value_hex = value_hex || '00'
where ctid in (select ctid from hiro_nft_holdings_current limit 1);

-- key_hash_is_of_its_key: two parts of a key exchange a character
update hiro_nft_holdings_history
set asset_identifier = asset_identifier || left(value_hex, 1), value_hex = substr(value_hex, 2);

-- key_hash_is_of_its_key: a hash is altered
update altura_item_holders_history
set key_hash = gen_random_uuid()
where ctid in (select ctid from altura_item_holders_history limit 1);

-- proofs_are_known: a proof that nobody knows
:unchecked;
update snapshot s
set proof = 'trust me'
:middle
where m.snapshot_id = s.snapshot_id;

-- proofs_are_known: a proof that does not hold for the provider
update snapshot s
set proof = 'chained'
from target t
where t.target_id = s.target_id
    and t.provider = 'altura';

-- proofs_are_known: a proof is missing
:unchecked;
alter table snapshot alter proof drop not null;
update snapshot s
set proof = null
:middle
where m.snapshot_id = s.snapshot_id;

-- snapshots_form_a_chain: a snapshot in the middle is lost
:unchecked;
delete from snapshot s
using (select m.* :middle) m
where m.snapshot_id = s.snapshot_id;

-- snapshots_form_a_chain: two snapshots follow the same one
update snapshot s
set previous_id = p.previous_id
from snapshot p
where p.snapshot_id = s.previous_id
    and p.previous_id is not null;

-- snapshots_form_a_chain: a snapshot follows none
update snapshot s
set previous_id = null
:middle
where m.snapshot_id = s.snapshot_id;

-- snapshots_form_a_chain: a snapshot follows one of another target
update snapshot s
set previous_id = o.snapshot_id
from snapshot o
where o.target_id <> s.target_id
    and s.previous_id is null;

-- snapshots_follow_each_other: a walk began before the last had ended
update snapshot s
set started_at = p.finished_at - interval '1 microsecond'
from snapshot p
where p.snapshot_id = s.previous_id;

-- snapshots_follow_each_other: a walk has its own times in another order
:unchecked;
update snapshot
set snapshot_until = finished_at + interval '1 second';

-- rows_belong_to_a_target: a target is lost
:unchecked;
delete from target
where target_id in (select min(target_id) from target);

-- rows_belong_to_a_target: rows are those of another provider's target
update altura_item_holders_current
set target_id = t.target_id
from target t
where t.provider = 'hiro';
