//! The tables as diesel sees them: the same in each of the three databases.

diesel::table! {
    settings (name) {
        name -> Text,
        value -> Text,
    }
}

diesel::table! {
    users (id) {
        id -> Text,
        username -> Text,
        password_hash -> Text,
        role -> Text,
        enabled -> Bool,
        created_at -> BigInt,
        updated_at -> BigInt,
        last_login_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    sessions (id) {
        id -> Text,
        user_id -> Text,
        created_at -> BigInt,
        expires_at -> BigInt,
        revoked_at -> Nullable<BigInt>,
        client_ip -> Text,
        user_agent -> Text,
    }
}

diesel::table! {
    login_places (account, place) {
        account -> Text,
        place -> Text,
        last_login_at -> BigInt,
    }
}

diesel::table! {
    global_error_rules (id) {
        id -> Text,
        rules -> Text,
        updated_at -> BigInt,
    }
}

diesel::table! {
    global_prices (id) {
        id -> Text,
        document -> Text,
        updated_at -> BigInt,
    }
}

diesel::table! {
    provider_groups (id) {
        id -> Text,
        group_name -> Text,
        provider_type -> Text,
        base_url -> Text,
        models -> Text,
        model_aliases -> Text,
        parameter_defaults -> Text,
        parameter_overrides -> Text,
        headers_sealed -> Nullable<Text>,
        balance_policy -> Text,
        retry_count -> Integer,
        timeout_ms -> BigInt,
        rpm_limit -> BigInt,
        test_model -> Nullable<Text>,
        priority -> Integer,
        enabled -> Bool,
        fake_streaming -> Bool,
        health_check_enabled -> Bool,
        proxy_enabled -> Bool,
        proxy_config_sealed -> Nullable<Text>,
        unsupported_parameters -> Text,
        upstream_stream -> Nullable<Text>,
        model_facts -> Nullable<Text>,
        api_version -> Nullable<Text>,
        routing -> Nullable<Text>,
        created_at -> BigInt,
        updated_at -> BigInt,
    }
}

diesel::table! {
    upstream_keys (id) {
        id -> Text,
        group_id -> Text,
        position -> Integer,
        secret_sealed -> Text,
        masked -> Text,
        enabled -> Bool,
        created_at -> BigInt,
        routing -> Nullable<Text>,
        own_sealed -> Nullable<Text>,
    }
}

diesel::table! {
    key_states (upstream_key_id, model) {
        upstream_key_id -> Text,
        model -> Text,
        group_id -> Text,
        marks -> Text,
        forget_at -> BigInt,
        saved_at -> BigInt,
        version -> BigInt,
    }
}

diesel::table! {
    proxy_keys (id) {
        id -> Text,
        key_name -> Text,
        digest -> Text,
        masked -> Text,
        description -> Nullable<Text>,
        enabled -> Bool,
        allowed_groups -> Text,
        allowed_models -> Text,
        group_policy -> Text,
        group_weights -> Text,
        rpm_limit -> BigInt,
        tpm_limit -> BigInt,
        concurrency_limit -> BigInt,
        expires_at -> Nullable<BigInt>,
        usage_count -> BigInt,
        last_used_at -> Nullable<BigInt>,
        routing -> Nullable<Text>,
        created_at -> BigInt,
        updated_at -> BigInt,
    }
}

diesel::table! {
    config_changes (version, entity_kind, entity_id) {
        version -> BigInt,
        entity_kind -> Text,
        entity_id -> Text,
        changed_at -> BigInt,
        lineage -> Nullable<Text>,
    }
}

diesel::table! {
    usage_records (id) {
        id -> Text,
        request_id -> Text,
        node_id -> Text,
        snapshot_version -> BigInt,
        proxy_key_id -> Nullable<Text>,
        proxy_key_name -> Nullable<Text>,
        group_id -> Nullable<Text>,
        group_name -> Nullable<Text>,
        provider_type -> Nullable<Text>,
        upstream_key_id -> Nullable<Text>,
        upstream_key_masked -> Nullable<Text>,
        api -> Text,
        method -> Text,
        path -> Text,
        requested_model -> Nullable<Text>,
        upstream_model -> Nullable<Text>,
        streamed -> Bool,
        has_tools -> Bool,
        status -> Integer,
        outcome -> Text,
        error_code -> Nullable<Text>,
        error_message -> Nullable<Text>,
        input_tokens -> BigInt,
        cached_tokens -> BigInt,
        cache_write_tokens -> BigInt,
        cache_write_1h_tokens -> BigInt,
        input_audio_tokens -> BigInt,
        output_audio_tokens -> BigInt,
        output_tokens -> BigInt,
        reasoning_tokens -> BigInt,
        usage_source -> Text,
        attempts -> Text,
        started_at -> BigInt,
        queue_us -> BigInt,
        first_byte_us -> BigInt,
        total_us -> BigInt,
        client_ip -> Text,
        user_agent -> Text,
        request_bytes -> BigInt,
        response_bytes -> BigInt,
        recorded_at -> BigInt,
        affinity -> Nullable<Text>,
        group_policy -> Nullable<Text>,
        cache -> Nullable<Text>,
        service_tier -> Nullable<Text>,
        input_image_tokens -> BigInt,
        output_image_tokens -> BigInt,
        units -> Nullable<Text>,
        cost_micros -> Nullable<BigInt>,
        cost_input_micros -> Nullable<BigInt>,
        cost_cached_micros -> Nullable<BigInt>,
        cost_cache_write_5m_micros -> Nullable<BigInt>,
        cost_cache_write_1h_micros -> Nullable<BigInt>,
        cost_output_micros -> Nullable<BigInt>,
        cost_reasoning_micros -> Nullable<BigInt>,
        cost_audio_micros -> Nullable<BigInt>,
        cost_image_micros -> Nullable<BigInt>,
        cost_units_micros -> Nullable<BigInt>,
        previous_cost_micros -> Nullable<BigInt>,
        repriced_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    reprice_runs (id) {
        id -> Text,
        from_ms -> BigInt,
        until_ms -> BigInt,
        group_id -> Nullable<Text>,
        model -> Nullable<Text>,
        reached_ms -> BigInt,
        reached_id -> Text,
        records -> BigInt,
        changed -> BigInt,
        cost_before -> BigInt,
        cost_after -> BigInt,
        unpriced_before -> BigInt,
        unpriced_after -> BigInt,
        asked_at -> BigInt,
        finished_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    ledger_totals (name) {
        name -> Text,
        value -> BigInt,
    }
}

diesel::table! {
    audit_log (id) {
        id -> Text,
        at -> BigInt,
        user_id -> Nullable<Text>,
        username -> Text,
        action -> Text,
        resource -> Text,
        resource_id -> Nullable<Text>,
        detail -> Text,
        client_ip -> Text,
    }
}

diesel::table! {
    health_check_results (id) {
        id -> Text,
        run_id -> Text,
        group_id -> Text,
        kind -> Text,
        upstream_key_id -> Nullable<Text>,
        upstream_key_masked -> Nullable<Text>,
        model -> Nullable<Text>,
        ok -> Bool,
        status -> Integer,
        latency_ms -> BigInt,
        error -> Nullable<Text>,
        at -> BigInt,
    }
}

diesel::table! {
    health_check_subjects (group_id, kind, upstream_key_id, model) {
        group_id -> Text,
        kind -> Text,
        upstream_key_id -> Text,
        model -> Text,
        checks -> BigInt,
        failures_in_a_row -> BigInt,
        recent -> BigInt,
        average_us -> BigInt,
        last_check_at -> Nullable<BigInt>,
        last_success_at -> Nullable<BigInt>,
        last_failure_at -> Nullable<BigInt>,
        last_status -> Integer,
        last_error -> Nullable<Text>,
        claimed_at -> BigInt,
    }
}

diesel::table! {
    job_leases (name) {
        name -> Text,
        holder -> Text,
        expires_at -> BigInt,
    }
}
