// The metrics of a server, with their labels. TO BE REPLACED by what a running server answers at `/metrics`, once it does.

const own = {
  natter_sockets: ['transport', 'protocol'],
  natter_sockets_unauthenticated: [],
  natter_connections_total: [],
  natter_sockets_refused_total: ['reason'],
  natter_sockets_cut_total: [],
  natter_authentications_total: ['result'],
  natter_messages_posted_total: [],
  natter_messages_refused_total: ['reason'],
  natter_messages_broadcast_total: [],
  natter_log_queue_messages: [],
  natter_log_queue_bytes: [],
  ...histogram('natter_log_commit_seconds'),
  natter_http_requests_total: ['method', 'status'],
  ...histogram('natter_http_request_seconds'),
  natter_rate_limited_total: ['limit'],
  natter_password_checks_waiting: [],
  natter_build_info: ['version'],
  process_resident_memory_bytes: [],
  process_open_fds: [],
  process_max_fds: [],
  process_cpu_seconds_total: [],
  process_start_time_seconds: [],
};

function histogram(name) {
  return { [`${name}_bucket`]: ['le'], [`${name}_sum`]: [], [`${name}_count`]: [] };
}

/** Labels by the names of series. */
export async function metrics() {
  return own;
}
