import { describe, expect, it } from 'vitest';
import { ObjectBytes, objectTarget, readTarget } from '../../bench/objects.ts';
import { readOptions } from '../../bench/options.ts';
import { missingPackages } from '../../bench/packages.ts';
import {
  descendantsOf,
  parseCoreSeconds,
  parseCores,
  parseIo,
  parseOpenFilesMax,
  parseRss,
  parseStat,
} from '../../bench/proc.ts';
import { readyLine } from '../../bench/servers/eddy.ts';

describe('what /proc says', () => {
  it('has the CPU time of a process and its ended children, whatever its name', () => {
    const text = '4242 (a (b) c) S 17 4242 4242 0 -1 4194560 9 0 0 0 120 30 4 2 20 0 11 0 99 1 2';
    expect(parseStat(text)).toEqual({ pid: 4242, parent: 17, ticks: 156 });
    expect(parseStat('')).toBeUndefined();
  });

  it('has RSS, written bytes and cores', () => {
    expect(parseRss('Name:\tnode\nVmRSS:\t  2048 kB\nThreads: 11\n')).toBe(2048 * 1024);
    expect(parseRss('')).toBe(0);
    expect(parseIo('wchar: 9\nwrite_bytes: 8192\ncancelled_write_bytes: 4096\n')).toBe(4096);
    expect(parseIo('')).toBeUndefined();
    const limits =
      'Limit  Soft Limit  Hard Limit  Units\nMax open files            1024                 20000                files\n';
    expect([parseOpenFilesMax(limits), parseOpenFilesMax('')]).toEqual([20_000, Number.POSITIVE_INFINITY]);
    const cores = 'cpu  9 9 9 9 9 9 9 0 0 0\ncpu0 100 20 300 4000 50 6 74 0 0 0\ncpu1 1 0 0 9 9 0 99 0 0 0\nintr 5\n';
    expect(parseCoreSeconds(cores)).toEqual([5, 1]);
    expect(parseCores('0-2,5')).toEqual([0, 1, 2, 5]);
  });

  it('leads from a process to all below it and to nothing else', () => {
    const stats = [
      { pid: 1, parent: 0, ticks: 9 },
      { pid: 2, parent: 1, ticks: 1 },
      { pid: 3, parent: 2, ticks: 2 },
      { pid: 4, parent: 1, ticks: 4 },
    ];
    expect(descendantsOf([2], stats).map(({ pid }) => pid)).toEqual([2, 3]);
    expect(descendantsOf([99], stats)).toEqual([]);
  });
});

describe('options', () => {
  it('measure everything unless told otherwise', () => {
    expect(readOptions([])).toMatchObject({
      seconds: 5,
      rounds: 2,
      only: [],
      connections: [16, 64, 512],
      accessLog: true,
    });
    expect(readOptions(['--quick'])).toMatchObject({ seconds: 2, rounds: 1, connections: [64], viewers: 500 });
    expect(readOptions(['--duration', '9', '--sizes', '1k,6m', '--only', 'herd', '--only', 'disk'])).toMatchObject({
      seconds: 9,
      sizes: ['1k', '6m'],
      only: ['herd', 'disk'],
    });
  });

  it('are refused with what would be right', () => {
    expect(() => readOptions(['--duration', '0'])).toThrow('--duration 0: must be a whole number from 1 to 600');
    expect(() => readOptions(['--protocols', 'http,h3'])).toThrow('--protocols h3: must be one of http, https');
    expect(() => readOptions(['--connections', '1e9'])).toThrow('--connections 1e9: must be');
    expect(() => readOptions(['--fast'])).toThrow('--fast');
  });

  it('name each missing package once', () => {
    const missing = missingPackages(['wrk', 'varnishd', 'varnishncsa', 'taskset'], (program) => program === 'taskset');
    expect(missing).toEqual(['varnish', 'wrk']);
  });
});

describe('objects', () => {
  it('have a length and a name in their target', () => {
    expect(readTarget(objectTarget(1024, 'cold-7'))).toEqual({ bytes: 1024, name: 'cold-7' });
    expect(readTarget('/o/1024/../x.m4s')).toBeUndefined();
    expect(readTarget('/favicon.ico')).toBeUndefined();
  });

  it('have bytes that depend on the name and the offset only', () => {
    const objects = new ObjectBytes(4096);
    const whole = objects.slice('a', 0, 4095);
    expect(whole).toHaveLength(4096);
    expect(objects.slice('a', 100, 199)).toEqual(whole.subarray(100, 200));
    expect(objects.slice('b', 0, 4095).equals(whole)).toBe(false);
    expect(new ObjectBytes(8192).slice('a', 0, 4095).equals(whole)).toBe(true);
  });
});

describe('the ready line', () => {
  it('has the addresses of viewers and admin', () => {
    const line = JSON.stringify({
      level: 'info',
      msg: 'ready',
      http: ['https://127.0.0.1:8443/', 'http://127.0.0.1:8080/'],
      admin: 'http://127.0.0.1:8081',
      peers: ['/ip4/127.0.0.1/tcp/4001'],
    });
    const [http, admin, peer] = ['http://127.0.0.1:8080', 'http://127.0.0.1:8081', '/ip4/127.0.0.1/tcp/4001'];
    const addresses = { http, admin, peer };
    expect(readyLine(`{"level":"info","msg":"starting"}\n${line}\n`)).toEqual(addresses);
    expect(() => readyLine('{"level":"info","msg":"starting"}\n')).toThrow('no line');
  });
});
