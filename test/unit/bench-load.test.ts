import { describe, expect, it } from 'vitest';
import { parseAutocannon } from '../../bench/load/autocannon.ts';
import { parseWrk } from '../../bench/load/wrk.ts';

describe('what wrk prints', () => {
  const output = `Running 2s test @ http://127.0.0.1:8080/o/1024/hit.m4s
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.41ms    2.25ms  16.95ms   88.40%
    Req/Sec    25.73k    13.78k   58.36k    80.00%
  Latency Distribution
     50%  437.00us
     75%    1.45ms
     90%    4.13ms
     99%   11.02ms
  25891 requests in 1.02s, 32.05MB read
Requests/sec:  25483.14
Transfer/sec:     31.54MB
`;

  it('is read with its units', () => {
    expect(parseWrk(output)).toEqual({
      requests: 25891,
      seconds: 1.02,
      bytes: 32.05 * 2 ** 20,
      p50Ms: 0.437,
      p99Ms: 11.02,
      errors: 0,
    });
  });

  it('counts broken connections and statuses as errors', () => {
    const failed = output.replace(
      'Requests/sec',
      '  Socket errors: connect 1, read 2, write 0, timeout 4\n  Non-2xx or 3xx responses: 10\nRequests/sec',
    );
    expect(parseWrk(failed).errors).toBe(17);
  });

  it('takes seconds, minutes and gigabytes', () => {
    const slow = output.replace('11.02ms', '1.50s ').replace('437.00us', '2.00m ').replace('32.05MB', '8.53GB');
    expect(parseWrk(slow)).toMatchObject({ p99Ms: 1500, p50Ms: 120_000, bytes: 8.53 * 2 ** 30 });
  });

  it('is refused when it is something else', () => {
    expect(() => parseWrk('unable to connect')).toThrow('wrk printed no totals: "unable to connect"');
    expect(() => parseWrk(output.replace('11.02ms', '11.02x'))).toThrow('wrk printed "11.02x"');
  });
});

describe('what autocannon prints', () => {
  const result = {
    errors: 1,
    timeouts: 2,
    non2xx: 4,
    '2xx': 46122,
    duration: 2.02,
    latency: { p50: 1, p99: 5, p99_9: 11 },
    throughput: { average: 7658496, total: 15312504 },
  };

  it('is read from its line of JSON', () => {
    expect(parseAutocannon(`a warning\n${JSON.stringify(result)}\n`)).toEqual({
      requests: 46122,
      seconds: 2.02,
      bytes: 15312504,
      p50Ms: 1,
      p99Ms: 5,
      errors: 7,
    });
  });

  it('is refused without JSON', () => {
    expect(() => parseAutocannon('usage')).toThrow('autocannon printed no JSON: "usage"');
  });
});
