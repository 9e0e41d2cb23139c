import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { schemas } from '@octokit/openapi-webhooks';

/**
 * Bodies built from GitHub's published descriptions of its webhooks, for the many actions that have no example: those of
 * GitHub.com, Enterprise Cloud and each Enterprise Server, by both packages that carry them. For tests only.
 */
type Schema = {
  $ref?: string;
  type?: string | string[];
  const?: unknown;
  enum?: unknown[];
  examples?: unknown[];
  format?: string;
  pattern?: string;
  required?: string[];
  properties?: Record<string, Schema>;
  additionalProperties?: Schema | boolean;
  items?: Schema;
  oneOf?: Schema[];
  anyOf?: Schema[];
  allOf?: Schema[];
  nullable?: boolean;
};
type Webhooks = Record<
  string,
  {
    post: {
      requestBody: { content: Record<string, { schema: Schema }> };
      'x-github'?: { subcategory?: string };
    };
  }
>;
type Description = {
  webhooks: Webhooks;
  components: { schemas: Record<string, Schema> };
};

const products = Object.entries(schemas as unknown as Record<string, Description>);
const require = createRequire(import.meta.url);
for (const product of ['api.github.com', 'ghec', 'ghes-3.19']) {
  const file = require.resolve(`@octokit/openapi/generated/${product}.json`);
  const whole = JSON.parse(readFileSync(file, 'utf8')) as { 'x-webhooks': Webhooks } & Omit<Description, 'webhooks'>;
  products.push([
    `${product} of the REST description`,
    { webhooks: whole['x-webhooks'], components: whole.components },
  ]);
}

/** What the description leaves to prose: names, commits and times that look like themselves. */
function wellKnown(key: string, description: Schema): unknown {
  if (key === 'full_name') return 'octo-org/octo-repo';
  if (key === 'login') return 'octo-org';
  if (key === 'slug') return 'octo-slug';
  if (key === 'state') return 'approved';
  if (key === 'ref' || key === 'head_ref' || key === 'base_ref') return 'refs/heads/main';
  if (/^id$|(^|_)sha$|^before$|^after$|^commit_id$|_oid$/.test(key)) return '5779607b49aab1200488439f02372c57b4f75444';
  if (/_at$/.test(key) || description.format === 'date-time') return '2026-01-02T03:04:05Z';
  return undefined;
}

function sample(description: Description, schema: Schema, optional: boolean, key = '', depth = 0): unknown {
  if (schema.$ref) {
    return sample(description, description.components.schemas[schema.$ref.split('/').at(-1)!]!, optional, key, depth);
  }
  if (schema.const !== undefined) return schema.const;
  if (schema.enum) return schema.enum.find((value) => value !== null);
  const alternative = (schema.oneOf ?? schema.anyOf)?.find((one) => one.type !== 'null');
  if (schema.allOf || alternative) {
    const parts = [...(schema.allOf ?? []), ...(alternative ? [alternative] : [])];
    const values = parts.map((part) => sample(description, part, optional, key, depth));
    const own = schema.properties ? [sampleObject(description, schema, optional, depth)] : [];
    return values.every((value) => typeof value === 'object' && value !== null && !Array.isArray(value))
      ? Object.assign({}, ...values, ...own)
      : values[0];
  }
  const type = Array.isArray(schema.type) ? schema.type.find((one) => one !== 'null') : schema.type;
  if (type === 'object' || schema.properties) return sampleObject(description, schema, optional, depth);
  if (type === 'array')
    return schema.items && depth < 8 ? [sample(description, schema.items, optional, '', depth + 1)] : [];
  if (type === 'integer' || type === 'number') return 7;
  if (type === 'boolean') return false;
  if (type === 'string' || type === undefined) return wellKnown(key, schema) ?? 'octo';
  return null;
}

function sampleObject(
  description: Description,
  schema: Schema,
  optional: boolean,
  depth: number,
): Record<string, unknown> {
  const required = new Set(schema.required ?? []);
  const properties = Object.entries(schema.properties ?? {}).filter(
    ([name]) => required.has(name) || (optional && depth < 8),
  );
  return Object.fromEntries(
    properties.map(([name, value]) => [name, sample(description, value, optional, name, depth + 1)]),
  );
}

/** Every action of every event of every product, once by each form: its body with the required properties only, and with all. */
export function openapiBodies(): { event: string; operation: string; least: unknown; whole: unknown }[] {
  const known = new Set<string>();
  const bodies = [];
  for (const [, description] of products) {
    for (const [operation, { post }] of Object.entries(description.webhooks)) {
      const schema = post.requestBody.content['application/json']!.schema;
      const event = (post['x-github']?.subcategory ?? operation).replaceAll('-', '_');
      const [least, whole] = [sample(description, schema, false), sample(description, schema, true)];
      const form = JSON.stringify([operation, least, whole]);
      if (known.has(form)) continue;
      known.add(form);
      bodies.push({ event, operation, least, whole });
    }
  }
  return bodies;
}
