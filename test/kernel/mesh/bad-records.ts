/** Annotations that a broken or hostile node might publish, by the name of the Node that does. */

type Annotations = Readonly<Record<string, string>>;

const ownKey = 'nkd0qF5U5gSUtOyyXJ2BnJ6Zk8oqtsVTjrBHFzpjLUE=';

export function BAD_RECORDS({ n2 }: { readonly n2: Annotations }): Readonly<Record<string, Annotations>> {
  const record = (annotations: Partial<Record<string, string>>): Annotations => ({
    'sheath.dev/generations': generation(ownKey),
    'sheath.dev/endpoints': '192.0.2.99',
    'sheath.dev/prefixes': '10.246.0.0/24',
    'sheath.dev/sending': '1',
    ...Object.fromEntries(
      Object.entries(annotations).map(([key, value]) => [`sheath.dev/${key}`, value ?? '']),
    ),
  });
  const many = Array.from({ length: 10_000 }, (_, at) => `10.${at >> 8}.${at & 255}.0/24`).join(',');
  return {
    'bad-key-of-n2': record({ generations: n2['sheath.dev/generations'] ?? '' }),
    'bad-prefix-of-n2': record({ prefixes: '10.244.2.0/24' }),
    'bad-prefix-inside-n2': record({ prefixes: '10.244.2.128/25' }),
    'bad-prefix-of-all': record({ prefixes: '0.0.0.0/0,::/0' }),
    'bad-endpoint-of-n2': record({ endpoints: '192.0.2.12' }),
    'bad-endpoint-in-pods': record({ endpoints: '10.244.3.2' }),
    'bad-key-zero': record({ generations: generation(Buffer.alloc(32).toString('base64')) }),
    'bad-key-low-order': record({
      generations: generation(Buffer.from([1, ...Buffer.alloc(31)]).toString('base64')),
    }),
    'bad-many-prefixes': record({ prefixes: many }),
    'bad-json': record({ generations: `${'['.repeat(20_000)}${']'.repeat(20_000)}` }),
    'bad-text': record({ generations: 'not JSON', endpoints: 'nowhere', prefixes: '10.1/8' }),
  };
}

function generation(publicKey: string): string {
  return JSON.stringify([{ generation: 1, driver: 'wireguard', publicKey, port: 51831 }]);
}
