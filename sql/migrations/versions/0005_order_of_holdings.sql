alter table hiro_nft_holdings_current add column place bigint;

comment on column hiro_nft_holdings_current.place is 'Where the row stands in Hiro''s list, newest first: a row with a higher place stands further up. Null until the first snapshot that keeps it.';


alter table snapshot
    add column top_place bigint,
    add column reordered boolean not null default false,
    drop constraint snapshot_proof_check,
    add constraint snapshot_proof_check
        check (proof in ('single_page', 'chained', 'chained_to_last', 'double_collect'));

comment on column snapshot.proof is 'Why the rows are one true state: single_page, chained, chained_to_last or double_collect.';
comment on column snapshot.top_place is 'Hiro: the highest place that a row has had until then; null where the order of the rows is not kept.';
comment on column snapshot.reordered is 'Hiro: rows stood elsewhere than the snapshots before say, as after a reorganisation of the chain.';
