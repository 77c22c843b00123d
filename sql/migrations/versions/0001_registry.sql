create table target (
    target_id integer generated always as identity primary key,
    provider text collate "C" not null,
    name text collate "C" not null unique,
    subject text collate "C" not null,
    options jsonb not null default '{}',
    label text,
    created_at timestamptz not null default now(),
    retired_at timestamptz
);

comment on table target is 'What is watched: one row for each target ever configured.';
comment on column target.target_id is 'Short number of the target, used in every other table.';
comment on column target.provider is 'altura, hiro or catenis.';
comment on column target.name is 'Identity of the target: provider:subject?options.';
comment on column target.subject is 'What is watched, without options: an Altura item (address/token id), a Stacks principal, a Catenis asset.';
comment on column target.options is 'Options that change what the provider gives back; other options are another target.';
comment on column target.label is 'Name given to the target by people, from targets.yaml.';
comment on column target.created_at is 'When the target was first seen here.';
comment on column target.retired_at is 'When the target left the list of what is watched; its history stays, it is no longer part of now.';


create table snapshot (
    snapshot_id bigint generated always as identity primary key,
    target_id integer not null references target,
    previous_id bigint references snapshot,
    run_key text collate "C" not null,
    scheduled_at timestamptz,
    started_at timestamptz not null,
    snapshot_at timestamptz not null,
    snapshot_until timestamptz not null,
    finished_at timestamptz not null,
    published_at timestamptz not null default clock_timestamp(),
    proof text collate "C" not null
        check (proof in ('single_page', 'chained', 'double_collect')),
    rows bigint not null check (rows >= 0),
    entered bigint not null check (entered >= 0),
    exited bigint not null check (exited >= 0),
    increased bigint not null check (increased >= 0),
    decreased bigint not null check (decreased >= 0),
    reacquired bigint not null check (reacquired >= 0),
    profile bigint not null check (profile >= 0),
    amount_sum numeric,
    migrated_amount numeric,
    migrated_unconfirmed numeric,
    cut_attributes bigint not null check (cut_attributes >= 0),
    walks integer not null check (walks > 0),
    pages integer not null check (pages > 0),
    requests integer not null check (requests >= pages),
    seconds numeric not null check (seconds >= 0),
    page_size integer not null check (page_size > 0),
    first_tip text,
    last_tip text,
    unique (target_id, run_key),
    unique (target_id, snapshot_at),
    check (started_at <= snapshot_at),
    check (snapshot_at <= snapshot_until),
    check (snapshot_until <= finished_at)
);

comment on table snapshot is 'One row for each accepted snapshot of a target: when, how many rows, why it is one true state, what changed.';
comment on column snapshot.snapshot_id is 'Number of the snapshot.';
comment on column snapshot.target_id is 'The target.';
comment on column snapshot.previous_id is 'The snapshot of the same target before this one; null for the first.';
comment on column snapshot.run_key is 'The tick or run that asked for it; one run never publishes a target twice.';
comment on column snapshot.scheduled_at is 'The tick that it was scheduled for; null when taken by hand.';
comment on column snapshot.started_at is 'When the first page of the walk was asked for.';
comment on column snapshot.snapshot_at is 'Earliest moment whose state the rows are; valid_from of what is new in them.';
comment on column snapshot.snapshot_until is 'Latest moment whose state the rows are.';
comment on column snapshot.finished_at is 'When the last page of the walk had been answered.';
comment on column snapshot.published_at is 'When the rows became visible here.';
comment on column snapshot.proof is 'Why the rows are one true state: single_page, chained or double_collect.';
comment on column snapshot.rows is 'Rows in the snapshot.';
comment on column snapshot.entered is 'Rows that were not in the snapshot before; all of them in the first one.';
comment on column snapshot.exited is 'Rows of the snapshot before that are gone.';
comment on column snapshot.increased is 'Rows whose amount grew.';
comment on column snapshot.decreased is 'Rows whose amount shrank.';
comment on column snapshot.reacquired is 'Rows that left and came back in between: held by another transaction now.';
comment on column snapshot.profile is 'Rows of which only attributes differ.';
comment on column snapshot.amount_sum is 'Sum of the amounts over all rows; null where rows have no amount.';
comment on column snapshot.migrated_amount is 'Catenis: amount moved to another blockchain, which belongs to no holder and is not in amount_sum.';
comment on column snapshot.migrated_unconfirmed is 'Catenis: part of migrated_amount not yet confirmed.';
comment on column snapshot.cut_attributes is 'Attributes that were too long and were cut, with their hash kept.';
comment on column snapshot.walks is 'Walks it took until one could be proven.';
comment on column snapshot.pages is 'Pages read, over all these walks.';
comment on column snapshot.requests is 'Requests sent, repeated ones included.';
comment on column snapshot.seconds is 'Seconds from the first request to the last answer.';
comment on column snapshot.page_size is 'Rows asked for per page in the walk that was accepted.';
comment on column snapshot.first_tip is 'Hiro: tip of the chain at the first answer of the walk.';
comment on column snapshot.last_tip is 'Hiro: tip of the chain at the last answer; another one than first_tip says that blocks were added meanwhile.';


create table walk_failure (
    failure_id bigint generated always as identity primary key,
    target_id integer not null references target,
    run_key text collate "C" not null,
    scheduled_at timestamptz,
    failed_at timestamptz not null default clock_timestamp(),
    reason text collate "C" not null,
    transient boolean not null,
    message text not null,
    held_rows bigint
);

create index on walk_failure (target_id, failed_at desc);

comment on table walk_failure is 'What was refused and why: one row for each time that a target could not be published.';
comment on column walk_failure.failure_id is 'Number of the failure.';
comment on column walk_failure.target_id is 'The target.';
comment on column walk_failure.run_key is 'The tick or run that asked for it.';
comment on column walk_failure.scheduled_at is 'The tick that it was scheduled for; null when taken by hand.';
comment on column walk_failure.failed_at is 'When it was given up.';
comment on column walk_failure.reason is 'Kind of failure, the name of the error: TornWalk, Unreachable, MalformedAnswer, HeldBack, ….';
comment on column walk_failure.transient is 'Whether another attempt may succeed without anybody changing something.';
comment on column walk_failure.message is 'What happened, where, and what to do.';
comment on column walk_failure.held_rows is 'HeldBack: rows of the proven set that a later walk has to agree with.';


create table applied_marts (
    digest text collate "C" primary key,
    applied_at timestamptz not null default clock_timestamp()
);

comment on table applied_marts is 'Which version of the views and functions this database has; one row.';
comment on column applied_marts.digest is 'SHA-256 over the files that make them.';
comment on column applied_marts.applied_at is 'When they were made.';
