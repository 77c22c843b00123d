alter table target add column list text collate "C" not null default 'targets';

comment on column target.list is 'Name of the list that brought the target last, as targets.yaml says in `list`; only that list retires it.';


create table run (
    run_id text collate "C" primary key,
    job text collate "C" not null,
    worker text,
    started_at timestamptz,
    seen_at timestamptz,
    waits_until timestamptz,
    looked_at timestamptz,
    silent_since timestamptz,
    finished_at timestamptz,
    ended_at timestamptz,
    ended_why text,
    check ((ended_at is null) = (ended_why is null))
);

create index on run (run_id) where finished_at is null and ended_at is null;

comment on table run is 'Runs of Dagster and of the command line that take snapshots or work on them, each with its last sign of life.';
comment on column run.run_id is 'Dagster''s id of the run, or one that the command line made.';
comment on column run.job is 'Dagster''s job, or the command.';
comment on column run.worker is 'Machine and process that work on it; null while nothing has begun.';
comment on column run.started_at is 'When its process began; null while nothing has begun.';
comment on column run.seen_at is 'Last sign of life: a page, a commit, a request.';
comment on column run.waits_until is 'End of a wait that it announced, such as one that a provider asked for.';
comment on column run.looked_at is 'When somebody looked last whether it lives.';
comment on column run.silent_since is 'First of the looks since which there was no sign of life; null: none yet.';
comment on column run.finished_at is 'When it ended by itself, well or not.';
comment on column run.ended_at is 'When it was ended from outside. It can publish nothing from then on.';
comment on column run.ended_why is 'Why.';
