import assert from 'node:assert/strict';
import { parse } from 'yaml';
import { VERSION } from '../../cli/version.ts';
import type { AgentStatus } from '../../operator/status.ts';
import { type FakeAgent, startFakeAgent } from './fake-agent.ts';
import { NOW, peer, status } from './fixtures.ts';
import { sheath } from './run.ts';

const PLAN = {
  node: 'n1',
  now: NOW,
  encryption: 'wireguard',
  changes: [{ part: 'route', action: 'add', what: '10.244.2.0/24 dev sheath1 table 51830' }],
  annotations: {},
  refused: [],
};

async function withAgent(answer: AgentStatus, use: (runDir: string) => Promise<void>): Promise<void> {
  const agent: FakeAgent = await startFakeAgent({ '/status': answer, '/plan': PLAN, '/healthz': 'ok' });
  try {
    await use(agent.runDir);
  } finally {
    await agent.close();
  }
}

describe('help', () => {
  it('names every command, with examples, within 80 columns', async () => {
    const { out, err, code } = await sheath(['--help']);
    assert.equal(code, 0);
    assert.equal(err, '');
    for (const name of ['agent', 'controller', 'status', 'peers', 'plan', 'cleanup', 'lab', 'version']) {
      assert.match(out, new RegExp(`^ {2}${name} `, 'm'));
    }
    assert.match(out, /^Examples:$/m);
    assert.deepEqual(
      out.split('\n').filter((line) => line.length > 80),
      [],
    );
  });

  for (const command of ['agent', 'controller', 'status', 'peers', 'plan', 'cleanup', 'version']) {
    it(`fits into 80 columns for ${command}, both ways to ask for it`, async () => {
      const { out, code } = await sheath([command, '--help']);
      assert.equal(code, 0);
      assert.deepEqual(
        out.split('\n').filter((line) => line.length > 80),
        [],
      );
      assert.equal((await sheath(['help', command])).out, out);
    });
  }
});

describe('version', () => {
  it('says what it is and what it runs on', async () => {
    const { out, code } = await sheath(['version', '-o', 'json']);
    assert.equal(code, 0);
    const value: unknown = JSON.parse(out);
    assert.deepEqual(Object.keys(Object(value)), ['version', 'node', 'kernel']);
    assert.ok(
      (await sheath(['version'])).out.startsWith(`sheath ${VERSION} (Node.js ${process.versions.node}`),
    );
  });
});

describe('status of a node', () => {
  it('ends with 0 when all is encrypted', () =>
    withAgent(status(), async (runDir) => {
      const { out, err, code } = await sheath(['status', '--run-dir', runDir]);
      assert.equal(out, 'Encrypted: n1 to all 2 peers, wireguard generation 1, permissive, for 12m\n');
      assert.equal(err, '');
      assert.equal(code, 0);
    }));

  it('ends with 1 when it is not', () =>
    withAgent(status({ state: 'partial', peers: [peer('n2', { state: 'degraded' })] }), async (runDir) => {
      const { out, code } = await sheath(['status', '--run-dir', runDir]);
      assert.match(out, /^NOT all encrypted: n1 to 0 of 1 peer,/);
      assert.equal(code, 1);
    }));

  it('prints what the agent answered, as JSON and as YAML', () =>
    withAgent(status(), async (runDir) => {
      assert.deepEqual(
        JSON.parse((await sheath(['status', '--run-dir', runDir, '-o', 'json'])).out),
        status(),
      );
      assert.deepEqual(parse((await sheath(['status', '--run-dir', runDir, '-o', 'yaml'])).out), status());
    }));

  it('finds the agent by SHEATH_RUN_DIR too', () =>
    withAgent(status(), async (runDir) => {
      process.env.SHEATH_RUN_DIR = runDir;
      try {
        assert.equal((await sheath(['status'])).code, 0);
      } finally {
        delete process.env.SHEATH_RUN_DIR;
      }
    }));

  it('shows each setting and who said so with --config', () =>
    withAgent(status(), async (runDir) => {
      const { out, code } = await sheath(['status', '--config', '--run-dir', runDir]);
      assert.match(out, /^encryption +wireguard +flag --encryption$/m);
      assert.match(out, /^mode +permissive +default$/m);
      assert.equal(code, 0);
    }));

  it('writes what is new, once, while it watches into a pipe', () =>
    withAgent(status(), async (runDir) => {
      const signal = AbortSignal.timeout(2500);
      const { out, code } = await sheath(['status', '--watch', '--run-dir', runDir], { signal });
      assert.equal(out, 'Encrypted: n1 to all 2 peers, wireguard generation 1, permissive, for 12m\n');
      assert.equal(code, 0);
    }));
});

describe('status, watched', () => {
  it('tells when a rotation comes, although all stays encrypted', async () => {
    const rotating = status({ rotation: { from: 1, to: 2, phase: 'switching' }, waiting: [] });
    const answers: Record<string, unknown> = { '/status': status() };
    const agent = await startFakeAgent(answers);
    setTimeout(() => {
      answers['/status'] = rotating;
    }, 500);
    const signal = AbortSignal.timeout(2500);
    const { out } = await sheath(['status', '--watch', '--run-dir', agent.runDir], { signal }).finally(
      () => void agent.close(),
    );
    assert.match(out, /goes from generation 1 to 2: peer by peer/);
  });
});

describe('peers of a node', () => {
  it('ends with 0 when all are routed, with 1 when not', async () => {
    await withAgent(status(), async (runDir) => {
      const { out, code } = await sheath(['peers', '--run-dir', runDir]);
      assert.deepEqual(
        out.split('\n').map((line) => line.slice(0, 12)),
        ['PEER  STATE ', 'n2    routed', 'n3    routed', ''],
      );
      assert.equal(code, 0);
    });
    await withAgent(status({ peers: [peer('n2', { state: 'established' })] }), async (runDir) => {
      assert.equal((await sheath(['peers', '--run-dir', runDir])).code, 1);
    });
  });

  it('tells everything about one', () =>
    withAgent(status(), async (runDir) => {
      const { out } = await sheath(['peers', 'n3', '--run-dir', runDir]);
      assert.match(out, /^Peer: +n3\n/);
      assert.match(out, /^Endpoint: +192\.0\.2\.13:51831$/m);
    }));

  it('has stable names of fields', () =>
    withAgent(status(), async (runDir) => {
      const { out } = await sheath(['peers', 'n3', '--run-dir', runDir, '-o', 'json']);
      assert.deepEqual(Object.keys(Object(JSON.parse(out))), [
        'seenBy',
        'node',
        'state',
        'since',
        'generation',
        'driver',
        'endpoint',
        'publicKey',
        'lastHandshake',
        'receivedBytes',
        'sentBytes',
        'mtu',
      ]);
    }));
});

describe('plan of a node', () => {
  it('shows what would change, and ends with 0', () =>
    withAgent(status(), async (runDir) => {
      const { out, code } = await sheath(['plan', '--run-dir', runDir]);
      assert.match(out, /^ {2}\+ route {2}10\.244\.2\.0\/24 dev sheath1 table 51830$/m);
      assert.equal(code, 0);
    }));
});
