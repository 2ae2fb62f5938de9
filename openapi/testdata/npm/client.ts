// A program of someone who calls the service from TypeScript: three calls through a client that was generated from
// openapi.json. It prints what it got as one line of JSON. The types are part of the test: this must compile.
import createClient from 'openapi-fetch';
import type { components, paths } from './api.js';

declare const process: { argv: string[] };
const [, , baseUrl = '', token = '', connection = ''] = process.argv;

// Searches can answer a stream too; this client asks for JSON only.
const client = createClient<paths, 'application/json' | 'application/problem+json'>({
  baseUrl,
  headers: { Authorization: `Bearer ${token}` },
});

// An action answers Stripe's object.
const created = await client.POST('/v1/modules/create-customer', {
  params: { header: { 'Idempotency-Key': 'customer-1042' } },
  body: {
    connection,
    email: 'jenny.rosen@example.com',
    shipping: { name: 'Jenny Rosen', address: { line1: 'Hauptstraße 1', country: 'DE' } },
    tax_exempt: 'none',
    metadata: { order: '1042' },
  },
});
if (created.error) throw new Error(created.error.title);
const customer: components['schemas']['stripe.customer'] = created.data;
const email: string | null | undefined = customer.email;

// A search answers a page of them.
const found = await client.POST('/v1/modules/search-customers', {
  body: { connection, email, limit: 5, filter: [{ field: 'created', operator: 'after', value: '2024-06-20' }] },
});
if (found.error) throw new Error(found.error.title);
const ids: (string | undefined)[] = found.data.bundles.map((bundle) => bundle.id);

// A bundle that is not taken is answered with a problem, which says what is wrong with which field.
const refused = await client.POST('/v1/modules/create-refund', { body: { connection, charge: 'ch_1', amount: '0' } });
if (!refused.error) throw new Error('a refund of nothing was taken');
const code: components['schemas']['Problem']['error_type'] = refused.error.error_type;
const fields = refused.error.fields?.map((fault) => `${fault.field}: ${fault.code}`);

// @ts-expect-error: the connection is required.
const incomplete: components['schemas']['RetrieveRefund'] = { refund: 're_1' };
void incomplete;

console.log(JSON.stringify({ customer: customer.id, ids, next: found.data.next_cursor, code, fields }));
