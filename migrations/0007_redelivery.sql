-- What services/reconciler knows of GitHub's webhooks, and of the deliveries that GitHub could not make.

CREATE TABLE hooks (
  -- `app:<id of the App>` or `org:<login>/<id of the webhook>`.
  hook          text PRIMARY KEY CHECK (hook ~ '^(app:[0-9]+|org:[^/]+/[0-9]+)$'),
  -- GitHub's time of the newest attempt of the last look that came to its end; null before the first.
  looked_until  timestamptz,
  -- A look that is not at its end: time of its newest attempt, and the page that comes next. Null between looks.
  look_newest   timestamptz,
  look_cursor   text CHECK (look_cursor <> ''),
  -- Who looks, and until when nobody else may: a round's lease, and after it the pause until the next round.
  holder        uuid NOT NULL,
  held_until    timestamptz NOT NULL,
  -- Why the last round failed, with what to do about it; null when none did since the last success.
  failed_at     timestamptz,
  failed_reason text,
  CONSTRAINT look_is_whole CHECK ((look_newest IS NULL) = (look_cursor IS NULL)),
  CONSTRAINT failed_says_why CHECK ((failed_at IS NULL) = (failed_reason IS NULL))
);

-- Deliveries of which an attempt failed. Forgotten when GitHub forgets them, after three days.
CREATE TABLE undelivered (
  hook            text NOT NULL REFERENCES hooks ON DELETE CASCADE,
  -- X-GitHub-Delivery, which all attempts of one delivery share.
  guid            text NOT NULL CHECK (guid ~ '^[A-Za-z0-9-]{1,100}$'),
  -- GitHub's number of its newest attempt that failed: the one that is asked for again. Beyond 2^53, so text.
  attempt         text NOT NULL CHECK (attempt ~ '^[0-9]{1,20}$'),
  event           text NOT NULL,
  -- GitHub's times of the oldest and the newest attempt that is known here.
  first_failed_at timestamptz NOT NULL,
  last_failed_at  timestamptz NOT NULL,
  -- What the receiver answered to the newest; 0 where nothing did.
  status_code     integer NOT NULL CHECK (status_code BETWEEN 0 AND 999),
  -- How often GitHub was asked to deliver again. Rises with each request.
  asked           integer NOT NULL DEFAULT 0 CHECK (asked >= 0),
  -- Not to be asked for before this time.
  due_at          timestamptz NOT NULL,
  -- When an attempt was answered 2xx; null while it is missing.
  made_at         timestamptz,
  PRIMARY KEY (hook, guid)
);
CREATE INDEX undelivered_due ON undelivered (hook, asked, first_failed_at) WHERE made_at IS NULL;
