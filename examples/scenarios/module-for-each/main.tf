# All clients in one table: each line is a service account with a token, and the place that gets it.
# The namespaces, the mount "secret", and the repositories must exist. KUBE_CONFIG_PATH, VAULT_ADDR
# and VAULT_TOKEN, and GITHUB_OWNER and GITHUB_TOKEN contain the credentials.
locals {
  clients = {
    airflow = { role = "Member", store = "kubernetes", at = "airflow" }
    dbt     = { role = "Member", store = "vault", at = "qualytics/dbt" }
    ci      = { role = "Manager", store = "github", at = "data-pipelines" }
  }

  at = { for store in ["kubernetes", "vault", "github"] :
    store => { for name, client in local.clients : name => client.at if client.store == store }
  }
}

data "github_actions_public_key" "client" {
  for_each = local.at.github

  repository = each.value
}

# Outside of this repository: github.com/qualytics/terraform-provider-qualytics//examples/modules/service-account
module "client" {
  source   = "../../modules/service-account"
  for_each = local.clients

  name = "client-${each.key}"
  role = each.value.role
  tokens = {
    default = {
      encryption = each.value.store != "github" ? null : {
        algorithm  = "sealed_box"
        public_key = data.github_actions_public_key.client[each.key].key
      }
    }
  }
}

resource "kubernetes_secret_v1" "client" {
  for_each = local.at.kubernetes

  metadata {
    name      = "qualytics"
    namespace = each.value
  }

  data_wo = {
    token = module.client[each.key].tokens.default
  }
  data_wo_revision = tonumber(module.client[each.key].token_ids.default)
}

resource "vault_kv_secret_v2" "client" {
  for_each = local.at.vault

  mount = "secret"
  name  = each.value

  data_json_wo         = jsonencode({ token = module.client[each.key].tokens.default })
  data_json_wo_version = tonumber(module.client[each.key].token_ids.default)
}

resource "github_actions_secret" "client" {
  for_each = local.at.github

  repository      = each.value
  secret_name     = "QUALYTICS_TOKEN"
  value_encrypted = module.client[each.key].encrypted_tokens.default
  key_id          = data.github_actions_public_key.client[each.key].key_id
}
