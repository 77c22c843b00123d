-- Roles of least privilege for a database that is Holdfast's own: an owner who migrates, a writer
-- who takes snapshots, a reader who asks. Idempotent; any client can run it, connected to that
-- database as somebody who may create roles and owns the database, or as a superuser. Run it before
-- the first migration and once after it; what somebody else migrated is handed to the owner.
--
--     psql "$ADMIN_URL" -f sql/roles.sql          without psql: holdfast roles
--
-- The names begin with holdfast_, or with the setting holdfast.role_prefix:
--
--     PGOPTIONS='-c holdfast.role_prefix=acme_' psql "$ADMIN_URL" -f sql/roles.sql
--
-- The roles may log in but have no password, so that nobody can before one is set (\password in
-- psql, or holdfast roles --password). Give people roles of their own that are members of the
-- reader. All of it is about the schema that comes first in the search path: public, unless told.
do $roles$
declare
    prefix constant text :=
        coalesce(nullif(current_setting('holdfast.role_prefix', true), ''), 'holdfast_');
    owner constant text := prefix || 'owner';
    writer constant text := prefix || 'writer';
    reader constant text := prefix || 'reader';
    home constant text := current_schema();
    database constant text := current_database();
    me constant text := current_user;
    role text;
    owner_id oid;
    home_id oid;
    migrated_by oid;
    joined boolean := false;
    found record;
begin
    foreach role in array array[owner, writer, reader] loop
        if not exists (select from pg_roles where rolname = role) then
            begin
                execute format('create role %I login', role);
            exception when duplicate_object or unique_violation then
                null;  -- another session made it meanwhile, from another database of this server
            end;
        end if;
    end loop;
    select oid into owner_id from pg_roles where rolname = owner;
    select oid into home_id from pg_namespace where nspname = home;

    -- Only a member can hand objects over to the owner, or say what those that it makes will be.
    if not pg_has_role(me, owner_id, 'usage') then
        execute format('grant %I to %I', owner, me);
        joined := true;
    end if;

    -- Everybody may make temporary tables by default, and tables in a public schema from before
    -- Postgres 15; the reader shall not.
    execute format('revoke temporary on database %I from public', database);
    execute format('revoke create on schema %I from public', home);
    execute format('grant temporary on database %I to %I, %I', database, owner, writer);
    execute format('grant connect on database %I to %I, %I, %I', database, owner, writer, reader);
    execute format('grant usage on schema %I to %I, %I', home, writer, reader);
    execute format('grant usage, create on schema %I to %I', home, owner);

    -- What was migrated before there was an owner. What belongs to an extension stays as it is, and
    -- a sequence of a column goes with its table.
    select relowner into migrated_by
    from pg_class
    where relnamespace = home_id and relname = 'alembic_version' and relowner <> owner_id;
    for found in
        select c.oid::regclass::text as name, 'table' as kind
        from pg_class c
        where c.relnamespace = home_id
            and c.relowner = migrated_by
            and c.relkind in ('r', 'p', 'v', 'm', 'S')
            and not exists (
                select from pg_depend d
                where d.classid = 'pg_class'::regclass
                    and d.objid = c.oid
                    and d.deptype in ('a', 'i', 'e')
            )
        union all
        select p.oid::regprocedure::text, 'routine'
        from pg_proc p
        where p.pronamespace = home_id
            and p.proowner = migrated_by
            and not exists (
                select from pg_depend d
                where d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e'
            )
    loop
        execute format('alter %s %s owner to %I', found.kind, found.name, owner);
    end loop;

    -- What there is: the reader reads, the writer writes, but not which version the schema has.
    for found in
        select oid::regclass::text as name, relname in ('alembic_version', 'applied_marts') as fixed
        from pg_class
        where relnamespace = home_id and relowner = owner_id and relkind in ('r', 'p', 'v', 'm')
    loop
        execute format('revoke all on %s from public, %I, %I', found.name, writer, reader);
        execute format('grant select on %s to %I, %I', found.name, writer, reader);
        if not found.fixed then
            execute format('grant insert, update, delete on %s to %I', found.name, writer);
        end if;
    end loop;
    for found in
        select oid::regclass::text as name
        from pg_class
        where relnamespace = home_id and relowner = owner_id and relkind = 'S'
    loop
        execute format('grant usage, select on sequence %s to %I', found.name, writer);
    end loop;
    for found in
        select oid::regprocedure::text as name
        from pg_proc
        where pronamespace = home_id and proowner = owner_id
    loop
        execute format('grant execute on routine %s to %I, %I', found.name, writer, reader);
    end loop;

    -- What later migrations make is readable and writable at once.
    execute format(
        'alter default privileges for role %I in schema %I grant select on tables to %I',
        owner, home, reader
    );
    execute format(
        'alter default privileges for role %I in schema %I'
        ' grant select, insert, update, delete on tables to %I',
        owner, home, writer
    );
    execute format(
        'alter default privileges for role %I in schema %I grant usage, select on sequences to %I',
        owner, home, writer
    );
    execute format(
        'alter default privileges for role %I in schema %I grant execute on routines to %I, %I',
        owner, home, writer, reader
    );

    if joined then
        execute format('revoke %I from %I', owner, me);
    end if;
end
$roles$;
