-- Whom a tenant trusts to sign its releases (JSON), and the sigstore bundle that came with a release (JSON).
ALTER TABLE tenants ADD COLUMN trust TEXT NOT NULL DEFAULT '{}';
ALTER TABLE releases ADD COLUMN signature TEXT;
