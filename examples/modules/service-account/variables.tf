variable "name" {
  description = "Name of the service account, 1 to 255 characters. Changing this forces a new service account to be created."
  type        = string
}

variable "role" {
  description = "Role of the service account: Admin, Manager, or Member."
  type        = string
  default     = "Member"
}

variable "teams" {
  description = "Names of the service account's teams. If null, the module does not manage the membership; [] means Public only."
  type        = set(string)
  default     = null
}

variable "revoke_tokens_on_destroy" {
  description = "Whether destroying the service account first revokes tokens that this module does not manage."
  type        = bool
  default     = false
}

variable "tokens" {
  description = "Service tokens by name, with their lifetime in days, the number of days before the expiry from which they are rotated, the number of days for which a replaced token stays valid, and an optional public key to which the secret is encrypted."
  type = map(object({
    expires_in_days    = optional(number, 90)
    rotate_before_days = optional(number, 14)
    overlap_days       = optional(number, 7)
    encryption = optional(object({
      algorithm  = string
      public_key = string
    }))
  }))
  default = {}

  validation {
    condition     = alltrue([for t in values(var.tokens) : t.rotate_before_days < t.expires_in_days])
    error_message = "rotate_before_days must be less than expires_in_days."
  }
}
