import { describe, expect, it } from 'vitest';
import { diskStoredBytes, parseMetrics } from '../../bench/admin.ts';
import { ResponseReader } from '../../bench/clients/response-reader.ts';
import { parseSendMemory } from '../../bench/socket-memory.ts';

describe('the response reader', () => {
  const response = Buffer.from('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n0123456789');

  it('finds the end of a response however it is cut', () => {
    for (let cut = 1; cut < response.length; cut++) {
      const reader = new ResponseReader();
      expect(reader.take(response.subarray(0, cut)).complete).toBe(false);
      expect(reader.take(response.subarray(cut))).toEqual({ status: 200, bodyBytes: 10, complete: true });
    }
  });

  it('reads one response after the other', () => {
    const reader = new ResponseReader();
    expect(reader.take(response).complete).toBe(true);
    reader.next();
    const empty = Buffer.from('HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n');
    expect(reader.take(empty)).toEqual({ status: 503, bodyBytes: 0, complete: true });
  });

  it('counts what came another way', () => {
    const reader = new ResponseReader();
    expect(reader.left).toBe(0);
    reader.take(response.subarray(0, -7));
    expect(reader.left).toBe(7);
    expect(reader.skip(6).complete).toBe(false);
    expect(reader.skip(1)).toEqual({ status: 200, bodyBytes: 10, complete: true });
    expect(reader.left).toBe(0);
  });

  it('does not keep the buffer it is given', () => {
    const reader = new ResponseReader();
    const chunk = Buffer.from('HTTP/1.1 200 OK\r\n');
    reader.take(chunk);
    chunk.fill(0);
    expect(reader.take(Buffer.from('Content-Length: 1\r\n\r\nx')).complete).toBe(true);
  });

  it('refuses what it cannot count', () => {
    const chunked = Buffer.from('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
    expect(() => new ResponseReader().take(chunked)).toThrow('no status or Content-Length');
    expect(() => new ResponseReader().take(Buffer.concat([response, Buffer.from('x')]))).toThrow('11 bytes of a body');
    expect(() => new ResponseReader().take(Buffer.alloc(20_000))).toThrow('no end of the header section');
  });
});

describe('metrics', () => {
  it('are read with their labels', () => {
    const metrics = parseMetrics(
      '# HELP a b\n# TYPE eddy_store_bytes gauge\neddy_store_bytes{tier="ram"} 1\neddy_store_bytes{tier="disk"} 300\n' +
        'eddy_evicted_bytes_total{tier="disk"} 1.5e3\n',
    );
    expect(metrics.get('eddy_store_bytes{tier="ram"}')).toBe(1);
    expect(diskStoredBytes(metrics)).toBe(1800);
  });

  it('are missed by name', () => {
    expect(() => diskStoredBytes(new Map())).toThrow('no sample of eddy_store_bytes');
  });
});

describe('what sockets hold to send', () => {
  it('is summed', () => {
    const lines = [
      '0 123 127.0.0.1:80 127.0.0.1:5000\t skmem:(r0,rb131072,t0,tb2626560,f3968,w4352,o0,bl0,d0)',
      '0 0 127.0.0.1:80 127.0.0.1:5001\t skmem:(r7,rb131072,t0,tb2626560,f0,w100,o0,bl0,d12)',
    ];
    expect(parseSendMemory(lines.join('\n'))).toBe(4452);
    expect(parseSendMemory('')).toBe(0);
  });
});
