import type { Db } from '@tripline/db/database';

/** An environment of a repository of which the log was told from where commits may come to it. `environment`: in lower case. */
export type ToldPlace = {
  workspace: string;
  repositoryId: string;
  repository: string;
  environment: string;
};
export type ToldPromotion = ToldPlace & { sha256: string; toldAt: Date };

export async function readToldPromotions({ pool }: Db): Promise<ToldPromotion[]> {
  const { rows } = await pool.query<ToldPromotion>(
    `SELECT workspace, repository_id AS "repositoryId", repository, environment, told_sha256 AS sha256, told_at AS "toldAt"
     FROM access_promotions_told ORDER BY workspace, repository_id, environment`,
  );
  return rows;
}

/** Notes what the log has been told; `gone`: no policy is for it any more. */
export async function noteToldPromotions(
  { pool }: Db,
  { told, gone }: { told: readonly ToldPromotion[]; gone: readonly ToldPlace[] },
): Promise<void> {
  const keysOf = (all: readonly ToldPlace[]) => [
    ...[all.map(({ workspace }) => workspace), all.map(({ repositoryId }) => repositoryId)],
    all.map(({ environment }) => environment),
  ];
  await pool.query(
    `INSERT INTO access_promotions_told (workspace, repository_id, environment, repository, told_sha256, told_at)
     SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[])
     ON CONFLICT (workspace, repository_id, environment) DO UPDATE
     SET repository = excluded.repository, told_sha256 = excluded.told_sha256, told_at = excluded.told_at`,
    [
      ...keysOf(told),
      told.map(({ repository }) => repository),
      told.map(({ sha256 }) => sha256),
      told.map(({ toldAt }) => toldAt),
    ],
  );
  await pool.query(
    `DELETE FROM access_promotions_told
     WHERE (workspace, repository_id, environment) IN (SELECT * FROM unnest($1::text[], $2::text[], $3::text[]))`,
    keysOf(gone),
  );
}
