-- Create wflo's six tables with their indexes, without foreign keys: those come next, in a
-- form that does not block writers where the tables already hold rows.
-- depends:

SET LOCAL lock_timeout = '500ms';

CREATE TABLE workflow_definitions (
    id             varchar(36) NOT NULL,
    name           varchar(255) NOT NULL,
    description    text,
    version        integer NOT NULL DEFAULT 1,
    steps          json NOT NULL,
    policies       json NOT NULL,
    extra_metadata json NOT NULL DEFAULT '{}'::json,
    created_at     timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP,
    updated_at     timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP,
    is_active      boolean NOT NULL DEFAULT true,
    CONSTRAINT workflow_definitions_pkey PRIMARY KEY (id),
    CONSTRAINT uq_workflow_name_version UNIQUE (name, version)
);

CREATE INDEX ix_workflow_created_at ON workflow_definitions (created_at);
CREATE INDEX ix_workflow_is_active ON workflow_definitions (is_active);
CREATE INDEX ix_workflow_name ON workflow_definitions (name);

CREATE TABLE workflow_executions (
    id                     varchar(36) NOT NULL,
    workflow_id            varchar(36) NOT NULL,
    status                 varchar(50) NOT NULL,
    error_message          text,
    started_at             timestamptz,
    completed_at           timestamptz,
    cost_total_usd         double precision NOT NULL DEFAULT '0'::double precision,
    cost_prompt_tokens     integer NOT NULL DEFAULT 0,
    cost_completion_tokens integer NOT NULL DEFAULT 0,
    trace_id               varchar(64) NOT NULL,
    correlation_id         varchar(64) NOT NULL,
    parent_execution_id    varchar(36),
    inputs                 json NOT NULL DEFAULT '{}'::json,
    outputs                json NOT NULL DEFAULT '{}'::json,
    extra_metadata         json NOT NULL DEFAULT '{}'::json,
    created_at             timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT workflow_executions_pkey PRIMARY KEY (id)
);

CREATE INDEX ix_execution_status_created ON workflow_executions (status, created_at);
CREATE INDEX ix_execution_workflow_status ON workflow_executions (workflow_id, status);
CREATE INDEX ix_workflow_executions_correlation_id ON workflow_executions (correlation_id);
CREATE INDEX ix_workflow_executions_created_at ON workflow_executions (created_at);
CREATE INDEX ix_workflow_executions_parent_execution_id ON workflow_executions (parent_execution_id);
CREATE INDEX ix_workflow_executions_status ON workflow_executions (status);
CREATE INDEX ix_workflow_executions_trace_id ON workflow_executions (trace_id);
CREATE INDEX ix_workflow_executions_workflow_id ON workflow_executions (workflow_id);

CREATE TABLE step_executions (
    id                varchar(36) NOT NULL,
    execution_id      varchar(36) NOT NULL,
    step_id           varchar(255) NOT NULL,
    status            varchar(50) NOT NULL,
    error_message     text,
    retry_count       integer NOT NULL DEFAULT 0,
    started_at        timestamptz,
    completed_at      timestamptz,
    sandbox_id        varchar(64),
    code              text,
    stdout            text,
    stderr            text,
    exit_code         integer,
    cost_usd          double precision NOT NULL DEFAULT '0'::double precision,
    prompt_tokens     integer NOT NULL DEFAULT 0,
    completion_tokens integer NOT NULL DEFAULT 0,
    inputs            json NOT NULL DEFAULT '{}'::json,
    outputs           json NOT NULL DEFAULT '{}'::json,
    extra_metadata    json NOT NULL DEFAULT '{}'::json,
    created_at        timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT step_executions_pkey PRIMARY KEY (id)
);

CREATE INDEX ix_step_execution_step ON step_executions (execution_id, step_id);
CREATE INDEX ix_step_executions_execution_id ON step_executions (execution_id);
CREATE INDEX ix_step_executions_status ON step_executions (status);
CREATE INDEX ix_step_executions_step_id ON step_executions (step_id);
CREATE INDEX ix_step_status_created ON step_executions (status, created_at);

CREATE TABLE state_snapshots (
    id             varchar(36) NOT NULL,
    execution_id   varchar(36) NOT NULL,
    step_id        varchar(255) NOT NULL,
    variables      json NOT NULL,
    extra_metadata json NOT NULL DEFAULT '{}'::json,
    version        integer NOT NULL,
    created_at     timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT state_snapshots_pkey PRIMARY KEY (id)
);

CREATE INDEX ix_snapshot_execution_step ON state_snapshots (execution_id, step_id);
CREATE INDEX ix_snapshot_execution_version ON state_snapshots (execution_id, version);
CREATE INDEX ix_state_snapshots_created_at ON state_snapshots (created_at);
CREATE INDEX ix_state_snapshots_execution_id ON state_snapshots (execution_id);

CREATE TABLE approval_requests (
    id               varchar(36) NOT NULL,
    execution_id     varchar(36) NOT NULL,
    step_id          varchar(255) NOT NULL,
    message          text NOT NULL,
    context          json NOT NULL DEFAULT '{}'::json,
    status           varchar(50) NOT NULL DEFAULT 'PENDING',
    approved_by      varchar(255),
    approved_at      timestamptz,
    rejection_reason text,
    timeout_seconds  integer NOT NULL,
    expires_at       timestamptz NOT NULL,
    created_at       timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT approval_requests_pkey PRIMARY KEY (id)
);

CREATE INDEX ix_approval_execution_step ON approval_requests (execution_id, step_id);
CREATE INDEX ix_approval_requests_execution_id ON approval_requests (execution_id);
CREATE INDEX ix_approval_requests_expires_at ON approval_requests (expires_at);
CREATE INDEX ix_approval_requests_status ON approval_requests (status);
CREATE INDEX ix_approval_status_expires ON approval_requests (status, expires_at);

CREATE TABLE rollback_actions (
    id             varchar(36) NOT NULL,
    execution_id   varchar(36) NOT NULL,
    snapshot_id    varchar(36) NOT NULL,
    reason         text NOT NULL,
    initiated_by   varchar(255) NOT NULL,
    status         varchar(50) NOT NULL DEFAULT 'PENDING',
    error_message  text,
    started_at     timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP,
    completed_at   timestamptz,
    extra_metadata json NOT NULL DEFAULT '{}'::json,
    CONSTRAINT rollback_actions_pkey PRIMARY KEY (id)
);

CREATE INDEX ix_rollback_actions_execution_id ON rollback_actions (execution_id);
CREATE INDEX ix_rollback_execution_status ON rollback_actions (execution_id, status);
CREATE INDEX ix_rollback_started_at ON rollback_actions (started_at);
